"""A Hugging Face GPT-NeoX folder -> a bundle.  Neither torch nor transformers is imported.

    config.json, tokenizer.json, *.safetensors [, fim_config.json]
        -> manifest.json, tokenizer.json, model.safetensors (int8 by default)

Weights stream tensor by tensor, so that memory stays at a few of the largest matrix.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.errors import BundleError, ConversionError, shown
from model_runtime.files import building, sha256_of
from model_runtime.importers.fim_config import FimConfig, read_fim_config
from model_runtime.model_files import MAX_TEXT_BYTES, MAX_TOKENIZER_BYTES, source_file
from model_runtime.models.bundle import MANIFEST, TOKENIZER, WEIGHTS, ModelBundle, make_canary
from model_runtime.models.decoder import MAX_CONTEXT, Architecture, NeoxConfig, read_config
from model_runtime.models.manifest import (
    MIN_CONTEXT,
    WEIGHT_DTYPES,
    FileFacts,
    Manifest,
    WeightsFacts,
)
from model_runtime.prompt.encoder import PromptEncoder
from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import FimTokenizer

if TYPE_CHECKING:
    from model_runtime.importers.neox_weights import NeoxWeights
    from model_runtime.models.weights import Array, TensorLayout

QUANTIZATIONS = tuple(dtype for dtype in WEIGHT_DTYPES if dtype != "bfloat16")
"""How a new bundle's matrices may be stored."""

Progress = Callable[[str], None]
"""Called with a short sentence at each step."""

_COPIED = {"MODEL_CARD.md": "MODEL_CARD.md", "README.md": "MODEL_CARD.md", "LICENSE": "LICENSE"}
"""What a folder has for people, and what it is called in a bundle."""


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What was done, for people to read."""

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
    """Where the hole begins; None where the source does not say and nobody has measured it yet."""


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
    progress: Progress | None = None,
) -> ConversionReport:
    """Write the bundle of the model in `source` to `target`, whole or not at all.

    What the arguments leave open comes from the folder itself (see `fim_config`).

    Raises:
        ConversionError: not a GPT-NeoX model that can be read, or nothing says how to prompt it.
    """
    started = time.perf_counter()
    say = progress or _silent
    if quantization not in QUANTIZATIONS:
        raise ConversionError(
            f"quantization {quantization!r} is not one of {', '.join(QUANTIZATIONS)}"
        )
    say(f"reading {source}")
    config = read_config(source)
    tokenizer = _read_tokenizer(source, config)
    fim = read_fim_config(
        source, tokenizer, order=order, tokens=tokens, prompt_format=prompt_format
    )
    alibi = config.alibi or fim.alibi
    architecture = config.architecture
    if alibi:
        architecture = replace(architecture, rotary_dim=0)

    from model_runtime.importers.neox_weights import (
        NeoxWeights,  # numpy is not for importers of this module
    )

    try:
        with NeoxWeights.open(source, architecture, say) as weights, building(target) as folder:
            notes = _write_tokenizer(source, folder, fim.prompt.special_ids)
            written = FimTokenizer.from_file(folder / TOKENIZER)
            prompt = replace(fim.prompt, hole_start=fim.hole_start or HoleStart.CURSOR)
            # The encoder checks the sentinels, too.
            canary = make_canary(PromptEncoder(written, prompt))
            millions = architecture.count_parameters() / 1e6
            say(f"writing {millions:.1f} M parameters as {quantization}")
            facts = _write_weights(folder / WEIGHTS, weights, architecture, quantization)
            manifest = Manifest(
                name=name,
                prompt=prompt,
                context_length=_context_length(context_length, fim, config, alibi),
                position_embedding="alibi" if alibi else "rotary",
                architecture=architecture,
                parameters=architecture.count_parameters(),
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
            say("checking the canary")
            ModelBundle.open(folder).verify_weights()
            source_bytes = weights.source_bytes
    except BundleError as error:
        raise ConversionError(f"{source}: the result cannot be used: {error}") from error
    except OSError as error:
        raise ConversionError(f"cannot write {target} ({error})") from error
    return ConversionReport(
        name=name,
        path=target,
        parameters=manifest.parameters,
        order=manifest.prompt.name,
        order_source=fim.source,
        position_embedding=manifest.position_embedding,
        context_length=manifest.context_length,
        quantization=quantization,
        source_bytes=source_bytes,
        bundle_bytes=sum(path.stat().st_size for path in target.iterdir()),
        seconds=time.perf_counter() - started,
        notes=notes,
        hole_start=fim.hole_start,
    )


def _silent(_: str) -> None:
    pass


def _read_tokenizer(source: Path, config: NeoxConfig) -> FimTokenizer:
    path = source_file(source, TOKENIZER, MAX_TOKENIZER_BYTES)
    if path is None:
        raise ConversionError(f"{source / TOKENIZER} is missing; it is needed")
    try:
        tokenizer = FimTokenizer.from_file(path)
    except BundleError as error:
        raise ConversionError(str(error)) from error
    if tokenizer.size > config.architecture.vocab:
        raise ConversionError(
            f"{path} has {tokenizer.size} ids and the model only {config.architecture.vocab}; "
            "they do not belong together"
        )
    return tokenizer


def _context_length(given: int | None, fim: FimConfig, config: NeoxConfig, alibi: bool) -> int:
    length = given or fim.context_length or config.max_positions
    if not MIN_CONTEXT <= length <= MAX_CONTEXT:
        raise ConversionError(
            f"a context of {shown(length)} tokens is not between {MIN_CONTEXT} and {MAX_CONTEXT}; "
            "correct it where it is stated"
        )
    if length > config.max_positions and not alibi:
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


def _write_weights(
    path: Path, weights: NeoxWeights, architecture: Architecture, quantization: str
) -> WeightsFacts:
    from model_runtime.models.weights import write_weights

    layout = bundle_layout(architecture, quantization)
    written = write_weights(path, layout, _stored(weights, architecture, quantization))
    return WeightsFacts(written.sha256, written.size, quantization)


def bundle_layout(architecture: Architecture, quantization: str) -> dict[str, TensorLayout]:
    """Tensors of a bundle's weights file: matrices as asked for, vectors as float32."""
    from model_runtime.models.weights import DTYPES, SCALE_SUFFIX, TensorLayout

    layout = {}
    for name, shape in architecture.tensor_shapes().items():
        if len(shape) == 1:
            layout[name] = TensorLayout("F32", shape)
            continue
        layout[name] = TensorLayout(DTYPES[quantization], shape)
        if quantization == "int8":
            layout[name + SCALE_SUFFIX] = TensorLayout("F32", shape[:1])
    return layout


def _stored(
    weights: NeoxWeights, architecture: Architecture, quantization: str
) -> Iterator[tuple[str, Array]]:
    """The tensors in the order and type of `bundle_layout`."""
    import numpy as np

    from model_runtime.models.weights import SCALE_SUFFIX, quantise_rows

    for name, shape in architecture.tensor_shapes().items():
        values = weights.float32(name)
        if len(shape) == 1 or quantization == "float32":
            yield name, values
        elif quantization == "int8":
            quantised, scale = quantise_rows(values)
            yield name, quantised
            yield name + SCALE_SUFFIX, scale
        else:
            yield name, values.astype(np.float16)
