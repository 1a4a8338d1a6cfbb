"""Qwen2 and Qwen3: Llamas with biases of q, k and v, or with norms of queries and keys."""

from __future__ import annotations

from dataclasses import replace

from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.families.family import Family
from model_runtime.models.families.llama import BUFFERS, llama_like, llama_tensors
from model_runtime.models.families.settings import Settings


def _windowed(spec: DecoderSpec, settings: Settings) -> DecoderSpec:
    """The upper layers may have a window; `use_sliding_window` says whether they do."""
    if not settings.boolean("use_sliding_window", False):
        return spec
    first = settings.integer("max_window_layers", 28)
    return replace(spec, windows=settings.windows(spec.layers, 4096, lambda layer: layer >= first))


def _qwen2(settings: Settings) -> DecoderSpec:
    return _windowed(llama_like(settings, "qkv"), settings)


def _qwen3(settings: Settings) -> DecoderSpec:
    has_biases = settings.boolean("attention_bias", False)
    biased = ("qkv", "attention_out") if has_biases else ()
    spec = llama_like(settings, *biased, head_dim=128)
    return _windowed(replace(spec, qk_norm=True), settings)


QWEN2 = Family(
    name="qwen2",
    model_types=("qwen2",),
    gguf_architecture="qwen2",
    max_positions=32768,
    spec=_qwen2,
    tensors=llama_tensors,
    aliases={},
    buffers=BUFFERS,
)
QWEN3 = Family(
    name="qwen3",
    model_types=("qwen3",),
    gguf_architecture="qwen3",
    max_positions=32768,
    spec=_qwen3,
    tensors=llama_tensors,
    aliases={},
    buffers=BUFFERS,
)
