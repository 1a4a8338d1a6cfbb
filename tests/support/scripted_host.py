"""A model that says what a test tells it to, in place of the embedded one."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from fim_lsp.model_host.host import LoadedModel
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.models.calibration import Calibration
from model_runtime.prompt.encoder import PromptEncoder
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import with_sentinels

TOKENS = FimTokens(end=0, suffix=50277, prefix=50278, middle=50279)


@cache
def encoder(hole_start: HoleStart = HoleStart.CURSOR) -> PromptEncoder:
    """The seed's tokenizer and format."""
    return encoder_of(PromptFormat.of_order(Order.SPM1, TOKENS, hole_start))


@cache
def encoder_of(prompt_format: PromptFormat) -> PromptEncoder:
    """The seed's tokenizer with another format."""
    path = Path(__file__).parents[1] / "data" / "20B_tokenizer.json"
    return PromptEncoder(with_sentinels(path), prompt_format)


def scripted_model(
    answer: str | Callable[[str], str],
    *,
    hole_start: HoleStart = HoleStart.CURSOR,
    prompt_format: PromptFormat | None = None,
    calibration: Calibration | None = None,
    languages: tuple[str, ...] = (),
    **options: float,
) -> LoadedModel:
    """A loaded model that answers each prompt with a text, or with what a function makes of it."""
    served = encoder(hole_start) if prompt_format is None else encoder_of(prompt_format)
    tokenizer = served.tokenizer

    def script(ids: list[int]) -> list[int]:
        text = answer if isinstance(answer, str) else answer(tokenizer.decode(ids))
        return [*tokenizer.encode(text), TOKENS.end]

    bundle = SimpleNamespace(
        manifest=SimpleNamespace(
            name="scripted",
            weights=SimpleNamespace(sha256="0" * 64),
            calibration=calibration,
            context_sources=(),
            languages=languages,
        ),
        encoder=served,
        tokenizer=tokenizer,
        stop_ids=frozenset(TOKENS.all()),
    )
    return LoadedModel(bundle, ScriptedEngine(script, **options))
