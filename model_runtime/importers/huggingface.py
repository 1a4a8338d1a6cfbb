"""A Hugging Face folder -> a bundle.  Neither torch nor transformers is imported.

    config.json, tokenizer.json, *.safetensors [, fim_config.json]
        -> manifest.json, tokenizer.json, model.safetensors (int8 by default)

Weights stream tensor by tensor, so that memory stays at a few of the largest matrix.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from model_runtime.errors import BundleError, ConversionError, shown
from model_runtime.files import building, cannot_write, sha256_of
from model_runtime.importers.config import Config, read_config
from model_runtime.importers.fim_config import FimConfig, read_fim_config
from model_runtime.importers.tokenizer_speed import check_speed
from model_runtime.model_files import MAX_TEXT_BYTES, MAX_TOKENIZER_BYTES, source_file
from model_runtime.models.bundle import MANIFEST, TOKENIZER, WEIGHTS, ModelBundle, make_canary
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.families.family import Family
from model_runtime.models.limits import MAX_CONTEXT, MIN_CONTEXT
from model_runtime.models.manifest import (
    NO_WEIGHTS,
    WEIGHT_DTYPES,
    FileFacts,
    Manifest,
    WeightsFacts,
)
from model_runtime.models.positions import Alibi
from model_runtime.progress import OnStep, announced, ignore_step, part
from model_runtime.prompt.encoder import PromptEncoder
from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import FimTokenizer

if TYPE_CHECKING:
    from model_runtime.models.weights import Float32

QUANTIZATIONS = (*(dtype for dtype in WEIGHT_DTYPES if dtype != "bfloat16"), NO_WEIGHTS)
"""Number types of a new bundle's matrices."""

_COPIED = {"MODEL_CARD.md": "MODEL_CARD.md", "README.md": "MODEL_CARD.md", "LICENSE": "LICENSE"}
"""Files for people in a folder -> their names in a bundle."""


class ModelWeights(Protocol):
    """The weights of a model that is being converted."""

    source_bytes: int
    """Size of the files that they come from."""

    def float32(self, name: str) -> Float32:
        """Returns one tensor by its canonical name."""
        ...

    def rows(self, name: str, rows: slice) -> Float32:
        """Returns some rows of the embedding or the output matrix."""
        ...

    def bits(self, name: str) -> int:
        """Returns the bits of each number of a tensor, as the source has it."""
        ...


@dataclass(frozen=True, slots=True)
class Examined:
    """Says what was found out about a finished bundle."""

    order_source: str
    """Author of the statement of its prompt format, and its proof, for people to read."""
    hole_start: HoleStart | None
    notes: tuple[str, ...] = ()


_WRITTEN = 0.25
"""Share of the work after which the bundle is written; `examine` does the rest."""

Examine = Callable[[Path, FimConfig], Examined]
"""Looks at a finished bundle before it takes the place of an earlier one.

Takes its folder, whose manifest it may change, and what is known of its prompt; raises
ConversionError where the earlier one should stay.
"""
OpenWeights = Callable[[DecoderSpec, Family], AbstractContextManager[ModelWeights]]


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """Says what an import has done, for people to read."""

    name: str
    path: Path
    parameters: int
    order: str
    order_source: str
    position_embedding: str
    context_length: int
    quantization: str
    source_bytes: int
    bundle_bytes: int
    seconds: float
    notes: tuple[str, ...] = ()
    hole_start: HoleStart | None = None
    """Beginning of the hole; None where the source does not say and none was measured."""
    is_new: bool = True
    """False where nothing was done, for the model was installed already."""


def convert_folder(
    source: Path,
    target: Path,
    *,
    name: str,
    quantization: str = "int8",
    order: Order | str | None = None,
    tokens: FimTokens | Mapping[str, int | str | None] | None = None,
    prompt_format: str | None = None,
    context_length: int | None = None,
    license: str | None = None,
    languages: tuple[str, ...] = (),
    training: Mapping[str, Any] | None = None,
    progress: OnStep = ignore_step,
    open_weights: OpenWeights | None = None,
    examine: Examine | None = None,
) -> ConversionReport:
    """Writes the bundle of the model in `source` to `target`, whole or not at all.

    What the arguments leave open comes from the folder itself (see `fim_config`).  `open_weights`
    opens weights that lie elsewhere; by default they are the folder's.  `examine` is called when
    the bundle is finished, before it takes the place of `target`.

    Raises:
        ConversionError: no model of a known family, or nothing says how to prompt it.
    """
    started = time.perf_counter()
    if quantization not in QUANTIZATIONS:
        raise ConversionError(
            f"quantization {quantization!r} is not one of {', '.join(QUANTIZATIONS)}"
        )
    if open_weights is None:  # else the caller has said what is read
        progress(f"reading {source.name}")
    config = read_config(source)
    tokenizer = _read_tokenizer(source, config)
    fim = read_fim_config(
        source, tokenizer, order=order, tokens=tokens, prompt_format=prompt_format
    )
    length = _context_length(context_length, fim, config)
    decoder = _decoder(config, fim, length)

    from model_runtime.importers.bundle_weights import write_bundle_weights
    from model_runtime.importers.checkpoint import Checkpoint  # numpy is not for who imports this
    from model_runtime.importers.tying import twins

    try:
        opened: AbstractContextManager[ModelWeights | None] = nullcontext()
        if quantization != NO_WEIGHTS and open_weights is None:
            opened = Checkpoint.open(source, decoder, config.family, progress)
        elif quantization != NO_WEIGHTS and open_weights is not None:
            opened = open_weights(decoder, config.family)
        with opened as weights, building(target) as folder:
            notes = _write_tokenizer(source, folder, fim.special_ids)
            read: Callable[[str], Float32] | None = None if weights is None else weights.float32
            same = None if weights is None or decoder.tied else twins(weights)
            if read is not None and same is not None:
                decoder, read = replace(decoder, tied=True), same.reading(read)
                notes += (same.note,)
            written = FimTokenizer.from_file(folder / TOKENIZER)
            prompt = replace(fim.prompt, hole_start=fim.hole_start or HoleStart.CURSOR)
            # The encoder checks the sentinels, too.
            canary = make_canary(PromptEncoder(written, prompt))
            facts = WeightsFacts("", 0, NO_WEIGHTS)
            what = f"writing {decoder.count_parameters() / 1e6:.1f} M parameters as {quantization}"
            if read is not None:
                with part(0, _WRITTEN), announced(progress, what):
                    facts = write_bundle_weights(folder / WEIGHTS, decoder, read, quantization)
            manifest = Manifest(
                name=name,
                prompt=prompt,
                context_length=length,
                decoder=decoder,
                parameters=decoder.count_parameters(),
                weights=facts,
                tokenizer=_facts_of(folder / TOKENIZER),
                canary=canary,
                license=license or fim.license,
                languages=languages or fim.languages,
                training=training if training is not None else fim.training,
            )
            (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
            for found, copied in _COPIED.items():
                text = source_file(source, found, MAX_TEXT_BYTES)
                if text is not None and not (folder / copied).exists():
                    shutil.copyfile(text, folder / copied)
            progress("checking the canary")
            bundle = ModelBundle.open(folder)
            if bundle.has_weights:
                bundle.verify_weights()
            examined = Examined(fim.source, fim.hole_start)
            if examine is not None:
                with part(_WRITTEN, 1):
                    examined = examine(folder, fim)
                manifest = ModelBundle.open(folder).manifest
            source_bytes = 0 if weights is None else weights.source_bytes
    except BundleError as error:
        raise ConversionError(f"{source}: the result cannot be used: {error}") from error
    except OSError as error:
        raise ConversionError(cannot_write(target, error)) from error
    return ConversionReport(
        name=name,
        path=target,
        parameters=manifest.parameters,
        order=manifest.prompt.name,
        order_source=examined.order_source,
        position_embedding=decoder.position_kind,
        context_length=manifest.context_length,
        quantization=quantization,
        source_bytes=source_bytes,
        bundle_bytes=sum(path.stat().st_size for path in target.iterdir()),
        seconds=time.perf_counter() - started,
        notes=(*notes, *examined.notes),
        hole_start=examined.hole_start,
    )


def _read_tokenizer(source: Path, config: Config) -> FimTokenizer:
    path = source_file(source, TOKENIZER, MAX_TOKENIZER_BYTES)
    if path is None:
        raise ConversionError(f"{source / TOKENIZER} is missing; it is needed")
    try:
        tokenizer = FimTokenizer.from_file(path)
    except BundleError as error:
        raise ConversionError(str(error)) from error
    if tokenizer.size > config.decoder.vocab:
        raise ConversionError(
            f"{path} has {tokenizer.size} ids and the model only {config.decoder.vocab}; "
            "they do not belong together"
        )
    check_speed(tokenizer)
    return tokenizer


def _decoder(config: Config, fim: FimConfig, context_length: int) -> DecoderSpec:
    """Returns the decoder as it will be run."""
    decoder = config.decoder
    if fim.alibi:
        decoder = replace(decoder, positions=Alibi())
    # A window that holds the whole context hides nothing, and not every engine has windows.
    windows = tuple(
        width if width is not None and width < context_length else None for width in decoder.windows
    )
    return replace(decoder, windows=windows if any(windows) else ())


def _context_length(given: int | None, fim: FimConfig, config: Config) -> int:
    length = given or fim.context_length or config.max_positions
    if not MIN_CONTEXT <= length <= MAX_CONTEXT:
        raise ConversionError(
            f"a context of {shown(length)} tokens is not between {MIN_CONTEXT} and {MAX_CONTEXT}; "
            "correct it where it is stated"
        )
    is_alibi = fim.alibi or isinstance(config.decoder.positions, Alibi)
    if length > config.max_positions and not is_alibi:
        raise ConversionError(
            f"a context of {length} tokens exceeds the model's {config.max_positions} positions"
        )
    return length


def _write_tokenizer(source: Path, folder: Path, special: Collection[int]) -> tuple[str, ...]:
    """Copies tokenizer.json, with its sentinels marked as special tokens."""
    raw = json.loads((source / TOKENIZER).read_text(encoding="utf-8"))
    unmarked = [
        entry
        for entry in raw.get("added_tokens", [])
        if entry.get("id") in special and not entry.get("special")
    ]
    if not unmarked:
        shutil.copyfile(source / TOKENIZER, folder / TOKENIZER)
        return ()
    for entry in unmarked:
        entry["special"] = True
    (folder / TOKENIZER).write_text(json.dumps(raw, ensure_ascii=False), encoding="utf-8")
    names = ", ".join(str(entry.get("content")) for entry in unmarked)
    return (f"marked as special tokens, so that text cannot become one: {names}",)


def _facts_of(path: Path) -> FileFacts:
    return FileFacts(sha256_of(path), path.stat().st_size)
