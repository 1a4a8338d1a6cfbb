"""A bundle: a folder with all that training hands to serving.

    manifest.json       what it is: format, sentinels, architecture, hashes, canary (manifest.py)
    model.safetensors   the weights, neutral of any engine (weights.py)
    tokenizer.json
    MODEL_CARD.md       and what else people should read, optional: FOR_PEOPLE
    packages.json       where it came as pip packages, which may hold the weights in parts
                        (bundle_files.py)

Opening one reads the manifest and the tokenizer and checks that they belong together and speak
the format of this version.  The weights are hashed whenever they are read, not at each start: an
engine derives its own form from them once, under their hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.errors import BundleError, shown
from model_runtime.model_files import MAX_JSON_BYTES, size_of
from model_runtime.models.bundle_files import (
    FOR_PEOPLE,
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    StoredFile,
    check_weights,
    package_facts,
    remedy,
    weights_files,
)
from model_runtime.models.families.registry import by_name
from model_runtime.models.manifest import NO_WEIGHTS, Canary, Manifest
from model_runtime.prompt.encoder import (
    Hole,
    PromptBudget,
    PromptEncoder,
    PromptRequest,
    Snippet,
)
from model_runtime.prompt.template import ContextFormat
from model_runtime.prompt.tokenizer import FimTokenizer

if TYPE_CHECKING:
    from model_runtime.models.tensors import BundleTensors
    from model_runtime.models.weights import Float32

__all__ = [
    "FOR_PEOPLE",
    "MANIFEST",
    "TOKENIZER",
    "WEIGHTS",
    "ModelBundle",
    "canary_ids",
    "make_canary",
    "write_manifest",
]

_CANARY_BUDGET = PromptBudget(tokens=4096)
"""An ample budget, so that the canary tests the format and not where a window is cut."""
_CANARY_PREFIX = (
    "import os\n\n\ndef área(breite: float, höhe: float) -> float:\n"
    '\t"""Fläche in m²; <|MID|> is only text here. 🙂"""\n    return '
)
_CANARY_SUFFIX = "\n\n\nif __name__ == '__main__':\n    print(área(2.0, 3.5))\n"
_CANARY_SNIPPETS = (("pkg/shapes.py", "class Shape:\n    sides: int = 0\n"),)


@dataclass(frozen=True)
class ModelBundle:
    """An opened bundle."""

    path: Path
    manifest: Manifest
    encoder: PromptEncoder
    weights_files: tuple[StoredFile, ...]
    """The file with the weights, or those that hold them in parts, in their order; none where a
    server has them."""
    remedy: str
    """Ends a message that a file of the folder is missing or damaged."""

    @classmethod
    def open(cls, path: Path | str) -> ModelBundle:
        """Reads a bundle's folder and checks everything but the content of the weights.

        Raises:
            BundleError: it is incomplete, damaged, or made for another version of the format;
                the message names the file and says what to do.
        """
        path = Path(path)
        packages = package_facts(path)
        again = remedy(packages)
        manifest = _read_manifest(path / MANIFEST, again)
        weights = tuple[StoredFile, ...]()
        if manifest.weights.dtype != NO_WEIGHTS:
            weights = weights_files(path, manifest.weights, packages)
        stored_tokenizer = StoredFile(path / TOKENIZER, manifest.tokenizer, again)
        for file in (*weights, stored_tokenizer):
            file.check_size()
        stored_tokenizer.check_hash()
        tokenizer = FimTokenizer.from_file(path / TOKENIZER)
        if tokenizer.size > manifest.decoder.vocab:
            raise BundleError(
                f"{path}: the tokenizer has {tokenizer.size} ids and the model only "
                f"{manifest.decoder.vocab}; they do not belong together"
            )
        encoder = PromptEncoder(tokenizer, manifest.prompt)
        if canary_ids(encoder, manifest.canary) != manifest.canary.ids:
            raise BundleError(
                f"{path}: this version of fim-lsp writes prompts that the model was not trained on "
                "(the canary differs); add the model again, or use the version that it came with"
            )
        return cls(path, manifest, encoder, weights, again)

    @property
    def tokenizer(self) -> FimTokenizer:
        """The tokenizer, which turns text into ids and back."""
        return self.encoder.tokenizer

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Ids at which an answer ends: END, and every other sentinel."""
        return self.manifest.prompt.stop_ids

    @property
    def has_weights(self) -> bool:
        """Tells whether the weights are here, so that an engine of this machine can run them."""
        return bool(self.weights_files)

    def verify_weights(self) -> None:
        """Hashes the weights, in about 30 ms for 50 MB.

        Raises:
            BundleError: its content is not what the manifest says, or a server has it.
        """
        if not self.has_weights:
            raise BundleError(
                f"{self.path} has no weights, which a server is to have; add the model without "
                "--without-weights to have them here"
            )
        check_weights(self.weights_files, self.manifest.weights, self.remedy)

    def open_weights(self) -> BundleTensors:
        """Returns the weights by canonical names, hashed and complete, but not yet read.

        Raises:
            BundleError: damaged, or of another shape than the manifest says.
        """
        from model_runtime.models.tensors import BundleTensors
        from model_runtime.models.weights import UnreadableWeights, WeightsFile

        self.verify_weights()
        spec, recipes = self.manifest.decoder, None
        if name := self.manifest.weights.family:
            family = by_name(name)
            if family is None:
                raise BundleError(
                    f"{self.path}: its weights are named as in {shown(name)} checkpoints, which "
                    "this version of fim-lsp does not know; update fim-lsp, or add the model again"
                )
            recipes = family.tensors(spec)
        try:
            file = WeightsFile(*(part.path for part in self.weights_files))
            return BundleTensors(file, spec, recipes)
        except UnreadableWeights as error:
            raise BundleError(
                f"{self.weights_files[0].path} is unreadable: {error}; {self.remedy}"
            ) from error

    def weights(self) -> Mapping[str, Float32]:
        """Returns all weights as float32, dequantised: canonical name -> array.

        Raises:
            BundleError: as `open_weights`.
        """
        tensors = self.open_weights()
        return {name: tensors.float32(name) for name in tensors.shapes}


def make_canary(encoder: PromptEncoder) -> Canary:
    """Returns the canary of a new bundle; with snippets where the format states their form."""
    request = Canary(_CANARY_PREFIX, _CANARY_SUFFIX, ids=())
    if encoder.format.context != ContextFormat():
        request = replace(
            request, path="pkg/area.py", snippets=_CANARY_SNIPPETS, repository="shapes"
        )
    return replace(request, ids=canary_ids(encoder, request))


def canary_ids(encoder: PromptEncoder, canary: Canary) -> tuple[int, ...]:
    """Returns the prompt that this version writes for a canary's request."""
    request = PromptRequest(
        Hole(canary.prefix, canary.suffix),
        canary.path,
        tuple(Snippet(path, text) for path, text in canary.snippets),
        canary.repository,
    )
    return tuple(encoder.prompt(request, _CANARY_BUDGET).ids)


def write_manifest(folder: Path, text: str) -> None:
    """Puts another manifest into a bundle's folder, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    fresh = folder / f".{MANIFEST}.new"
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(folder / MANIFEST)


def _read_manifest(path: Path, again: str) -> Manifest:
    try:
        size_of(path, MAX_JSON_BYTES)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing, so {path.parent} is no model bundle") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read ({error}); {again}") from error
    try:
        return Manifest.from_json(text)
    except BundleError as error:
        raise BundleError(f"{path} cannot be used: {error}") from error
