"""A bundle -> one GGUF file for llama.cpp, with weights, tokenizer and sentinels.

Which of llama.cpp's architectures runs it, and what its tensors are called there, `gguf_network`
says.  Matrices are converted one at a time, so memory stays at a few of the largest.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from model_runtime.errors import GgufError
from model_runtime.exporters.gguf_names import fim_token_ids
from model_runtime.exporters.gguf_network import (
    GgufArchitecture,
    GgufTensor,
    add_network,
    architecture_for,
    gguf_tensors,
)
from model_runtime.exporters.gguf_vocabulary import GgufVocabulary, gguf_vocabulary
from model_runtime.files import cannot_write
from model_runtime.models.bundle import TOKENIZER, ModelBundle
from model_runtime.progress import OnStep, ignore_step
from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.orders import Order
from model_runtime.prompt.template import Slot

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, GGUFWriter

_FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0", "q4_0": "MOSTLY_Q4_0"}
_QUANTISED_BLOCK = 32
"""Columns that share a scale, in both quantised types; a matrix of another width stays f16."""


class _Infill(NamedTuple):
    """Says how llama-server's /infill comes to write a prompt."""

    flag: str
    when: str


_INFILL = {
    Order.SPM1: _Infill("--spm-infill", "with --spm-infill"),
    Order.PSM: _Infill("", "as it is"),
}
_NO_INFILL = _Infill("", "in no way; send the prompt whole")


@dataclass(frozen=True, slots=True)
class GgufReport:
    """Says what was written, for people to read."""

    path: Path
    type: str
    bytes: int
    pre_tokenizer: str
    agreement: float
    """Share of ids that llama.cpp's pre-tokenizer gives as well, as in `GgufVocabulary`."""
    command: str
    """Command that starts llama.cpp's server with the file."""
    seconds: float


def export_gguf(
    bundle: ModelBundle, target: Path, type_: str = "q8_0", progress: OnStep = ignore_step
) -> GgufReport:
    """Writes `target`, whole or not at all.

    Args:
        bundle: the model.
        target: the file; one that is there is replaced.
        type_: of the matrices, one of `gguf_names.TYPES`.
        progress: called with a short sentence at each step.

    Raises:
        GgufError: llama.cpp cannot run this kind of model, or the file cannot be written.
        BundleError: the weights are damaged.
    """
    from gguf import GGUFWriter

    started = time.perf_counter()
    architecture = _architecture(bundle)
    progress("choosing a pre-tokenizer")
    vocabulary = gguf_vocabulary(bundle.path / TOKENIZER, bundle.manifest.decoder.vocab)
    work = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with closing(GGUFWriter(work, architecture.name)) as writer:
            _add_metadata(writer, bundle, type_)
            add_network(writer, bundle.manifest.decoder, bundle.manifest.context_length)
            _add_vocabulary(writer, vocabulary, bundle.manifest.prompt)
            _write_tensors(writer, bundle, architecture, type_, progress)
        work.replace(target)
    except OSError as error:
        raise GgufError(cannot_write(target, error)) from error
    finally:
        with suppress(OSError):
            work.unlink()
    return GgufReport(
        target,
        type_,
        target.stat().st_size,
        vocabulary.pre_tokenizer,
        vocabulary.agreement,
        f"llama-server --model {target} {_infill(bundle).flag}".rstrip(),
        time.perf_counter() - started,
    )


def _architecture(bundle: ModelBundle) -> GgufArchitecture:
    found = architecture_for(bundle.manifest.decoder)
    if isinstance(found, str):
        raise GgufError(
            f"{found}, which {bundle.manifest.name} needs; run it with fim-lsp's own engines"
        )
    return found


def _add_metadata(writer: GGUFWriter, bundle: ModelBundle, type_: str) -> None:
    from gguf import GGML_QUANT_VERSION, LlamaFileType

    manifest = bundle.manifest
    writer.add_type("model")
    writer.add_name(manifest.name)
    writer.add_description(_how_to_prompt(bundle))
    writer.add_license(manifest.license)
    if manifest.languages:
        writer.add_tags(["code", "fill-in-the-middle", *manifest.languages])
    writer.add_file_type(LlamaFileType[_FILE_TYPES[type_]])
    writer.add_quantization_version(GGML_QUANT_VERSION)
    # No standard key says in which order the parts of a prompt stand.
    writer.add_string("fim_lsp.order", manifest.prompt.name)
    writer.add_string("fim_lsp.prompt", json.dumps(manifest.prompt.to_json()))
    writer.add_string("fim_lsp.weights_sha256", manifest.weights.sha256)


def _how_to_prompt(bundle: ModelBundle) -> str:
    """Returns the prompt as text, and whether llama.cpp's /infill writes it."""
    form = bundle.manifest.prompt
    prompt = "".join(form.spelled(bundle.tokenizer.token_of, prefix="BEFORE", suffix="AFTER"))
    return (
        f"Fills in the middle of code.  Prompt, order {form.name}: {prompt}.  "
        f"llama-server's /infill writes it {_infill(bundle).when}."
    )


def _infill(bundle: ModelBundle) -> _Infill:
    order = bundle.manifest.prompt.order
    return _NO_INFILL if order is None else _INFILL.get(order, _NO_INFILL)


def _add_vocabulary(writer: GGUFWriter, vocabulary: GgufVocabulary, form: PromptFormat) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre_tokenizer)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(form.text_start)
    for add in (writer.add_eos_token_id, writer.add_eot_token_id):
        add(form.end)
    if form.pad is not None:
        writer.add_pad_token_id(form.pad)
    writer.add_add_bos_token(form.bos is not None)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    roles = form.roles
    if form.template[0] is not Slot.CONTEXT:
        # With a file separator /infill would put `<|file|>filename` before the sentinels, where
        # training never has it.
        roles.pop("file", None)
    for name, id_ in fim_token_ids(roles).items():
        writer.add_uint32(f"tokenizer.ggml.{name}", id_)


def _write_tensors(
    writer: GGUFWriter,
    bundle: ModelBundle,
    architecture: GgufArchitecture,
    type_: str,
    progress: OnStep,
) -> None:
    """Writes header, keys and tensors, with one tensor at a time in memory."""
    from gguf import GGML_QUANT_SIZES, quantize

    tensors = list(gguf_tensors(bundle.manifest.decoder, architecture))
    for tensor in tensors:
        kind = _type(tensor, type_)
        block, size = GGML_QUANT_SIZES[kind]
        count = math.prod(tensor.shape)
        writer.add_tensor_info(
            tensor.name, tensor.shape, np.dtype(np.float32), count // block * size, kind
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    weights = bundle.open_weights()
    for number, tensor in enumerate(tensors, 1):
        progress(f"writing {type_} tensor {number} of {len(tensors)}")
        values = weights.float32(tensor.source)[tensor.rows]
        writer.write_tensor_data(quantize(values, _type(tensor, type_)))


def _type(tensor: GgufTensor, type_: str) -> GGMLQuantizationType:
    """Returns the type of a tensor where matrices are asked for as `type_`."""
    from gguf import GGMLQuantizationType

    kind = "f32" if len(tensor.shape) == 1 else type_
    if kind.startswith("q") and tensor.shape[-1] % _QUANTISED_BLOCK:
        kind = "f16"
    return GGMLQuantizationType[kind.upper()]
