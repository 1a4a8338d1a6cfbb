"""A model as a server sees it, wherever its weights are.

`serve_bundle` makes one of a bundle on this machine.  A model whose weights are behind HTTP gives
one as well: its tokenizer and its format are here, and its engine sends ids or text there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from model_runtime.models.calibration import MIN_ACCEPTANCE, UNCALIBRATED, Calibration

if TYPE_CHECKING:
    from model_runtime.engines.abilities import FormChooser, KeptTexts, Remote, WeightForms
    from model_runtime.engines.auto_select import Choice
    from model_runtime.engines.kind import EngineOptions
    from model_runtime.engines.protocol import Engine
    from model_runtime.models.bundle import ModelBundle
    from model_runtime.models.decoder import DecoderSpec
    from model_runtime.prompt.encoder import PromptEncoder
    from model_runtime.prompt.tokenizer import FimTokenizer

STANDARD_EAGERNESS = 0.5
"""Eagerness of a user who has not chosen one, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model that is ready to complete: how prompts are written, and the engine that runs it."""

    name: str
    """Name as the model's manifest says it."""
    fingerprint: str
    """Text that differs between different weights."""
    encoder: PromptEncoder
    """Writes the prompts of this model."""
    stop_ids: frozenset[int]
    """Ids that end an answer."""
    engine: Engine
    """Runs the model."""
    calibration: Calibration = UNCALIBRATED
    """Tells how sure the model must be at each eagerness."""
    learned_languages: tuple[str, ...] = ()
    """Ids of the languages that the model was trained on; empty where nobody said."""
    context_sources: tuple[str, ...] = ()
    """Kinds of parts of other files that help the model."""
    parameters: int = 0
    """Number of weights; 0 where it is not known."""
    decoder: DecoderSpec | None = None
    """The forward pass; None where it is not known."""
    weights_dtype: str = ""
    """Number type of the bundle's weights; empty where it is not known."""
    choice: Choice | None = field(default=None, compare=False)
    """Tells why this engine was taken, where that was left open."""

    @property
    def tokenizer(self) -> FimTokenizer:
        """Turns text into ids and back."""
        return self.encoder.tokenizer

    @property
    def identity(self) -> tuple[str, str]:
        """Compares equal only for the same weights in the same engine."""
        return self.fingerprint, self.engine.name

    @property
    def kept_texts(self) -> KeptTexts | None:
        """Memory of what the engine has read; None where it is not in this process."""
        # Asked for at every key; to look whether it is a `TextKeeper` takes far longer.
        kept: KeptTexts | None = getattr(self.engine, "kept_texts", None)
        return kept

    @property
    def weight_forms(self) -> WeightForms | None:
        """Forms of the weights in memory; None where the engine has no choice of them."""
        forms: WeightForms | None = getattr(self.engine, "weight_forms", None)
        return forms

    @property
    def remote(self) -> Remote | None:
        """The server that runs the model; None where the engine runs in this process."""
        # Asked for at every key, as above.
        return cast("Remote", self.engine) if hasattr(self.engine, "server") else None

    @property
    def languages(self) -> list[str]:
        """Languages in which the model suggests; empty where nothing is known of any."""
        known = {*self.calibration.languages, *self.learned_languages}
        return sorted(name for name in known if self.suggests_in(name))

    def choose_anew(self) -> None:
        """Has engine and forms measured again when the model is opened next."""
        if self.choice is not None:
            self.choice.forget()
        if self.weight_forms is not None:
            cast("FormChooser", self.engine).forget_choice()

    def suggests_in(self, language_id: str) -> bool:
        """Tells whether the model is right often enough in a language to show anything unasked.

        Where nobody measured, it is in the languages that it has learned, and in all of them where
        nothing is known of those.
        """
        if language_id in self.calibration.languages:
            measured = self.calibration.for_language(language_id)
            return measured.acceptance(STANDARD_EAGERNESS) >= MIN_ACCEPTANCE
        return not self.learned_languages or language_id in self.learned_languages


def serve_bundle(
    bundle: ModelBundle, engine: str, options: EngineOptions, *, anew: bool = False
) -> ServedModel:
    """Opens a bundle of this machine.

    Args:
        bundle: the model.
        engine: an engine's name, or "auto" for the fastest one here.
        options: device and threads.
        anew: compares the engines also where it is known which one is fastest.

    Raises:
        EngineUnavailable, BundleError: the engine cannot run the bundle here; says what to do.
    """
    from model_runtime.engines import registry
    from model_runtime.engines.kind import AUTO

    choice = None
    if engine == AUTO:
        from model_runtime.engines.auto_select import open_auto_selected

        opened, choice = open_auto_selected(bundle, options, anew=anew)
    else:
        opened = registry.open_named(engine, bundle, options)
    manifest = bundle.manifest
    return ServedModel(
        name=manifest.name,
        fingerprint=manifest.weights.sha256 or manifest.name,
        encoder=bundle.encoder,
        stop_ids=bundle.stop_ids,
        engine=opened,
        calibration=manifest.calibration or UNCALIBRATED,
        learned_languages=manifest.languages,
        context_sources=manifest.context_sources,
        parameters=manifest.parameters,
        decoder=manifest.decoder,
        weights_dtype=manifest.weights.dtype,
        choice=choice,
    )
