"""Tiny models with random weights, in every variant that must work, and their bundles."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from model_runtime.files import sha256_of
from model_runtime.importers.bundle_weights import write_bundle_weights
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import MANIFEST, TOKENIZER, WEIGHTS, ModelBundle, make_canary
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.manifest import FileFacts, Manifest
from model_runtime.models.positions import (
    Alibi,
    LinearScaling,
    Llama3Scaling,
    Rope,
    YarnScaling,
)
from model_runtime.prompt.encoder import PromptEncoder
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import FimTokenizer
from tests.support.random_neox import Variant, fim_config, train_tokenizer, write_folder

VARIANTS = {
    "rotary quarter": Variant(),
    "rotary whole, old spelling": Variant(rotary=1.0, old_spelling=True),
    "other base": Variant(rotary=0.5, rotary_base=500.0),
    "tied": Variant(tied=True),
    "sequential": Variant(sequential=True, rotary=1.0),
    "tanh gelu": Variant(activation="gelu_new"),
    "alibi": Variant(alibi=True),
    "alibi, six heads, sequential": Variant(alibi=True, hidden=96, heads=6, sequential=True),
}
"""GPT-NeoX models, which are made as checkpoints and imported."""

_LLAMA = DecoderSpec(
    layers=2,
    hidden=64,
    vocab=512,
    intermediate=96,
    heads=4,
    kv_heads=2,
    head_dim=16,
    norm="rms",
    norm_epsilon=1e-6,
    mlp="gated",
    activation="silu",
    positions=Rope(dim=16),
    tied=False,
)
_STARCODER = replace(
    _LLAMA,
    norm="layer",
    norm_epsilon=1e-5,
    mlp="plain",
    activation="gelu_tanh",
    biases=frozenset({"qkv", "attention_out", "mlp", "norm"}),
    tied=True,
)
_GEMMA = replace(
    _LLAMA, head_dim=32, positions=Rope(dim=32), activation="gelu_tanh", embedding_scale=8.0
)
DECODERS = {
    "grouped heads, rms norm, gated": _LLAMA,
    "biases of qkv alone": replace(_LLAMA, biases=frozenset({"qkv"}), tied=True),
    "one head of keys, layer norm": replace(_STARCODER, kv_heads=1),
    "layer norm without biases": replace(_STARCODER, biases=frozenset(), activation="gelu"),
    "wide heads, scaled embedding": replace(_GEMMA, tied=True),
    "post norms, soft-caps": replace(
        _GEMMA,
        post_norms=True,
        attention_scale=0.1,
        attention_softcap=20.0,
        logit_softcap=15.0,
    ),
    "post norms, scale": replace(
        _GEMMA, post_norms=True, attention_scale=0.3, logit_softcap=15.0, residual_scale=0.5
    ),
    "scaled residual stream and logits": replace(
        _LLAMA,
        residual_scale=0.22,
        logit_scale=0.5,
        embedding_scale=12.0,
        attention_scale=0.0625,
        biases=frozenset({"attention_out", "mlp"}),
    ),
    "windows": replace(_LLAMA, windows=(24, None)),
    "norms of queries and keys": replace(_LLAMA, qk_norm=True, head_dim=32),
    "relu, parallel, grouped": replace(
        _STARCODER, residual="parallel", activation="relu", tied=False, residual_scale=0.5
    ),
    "alibi, grouped": replace(_STARCODER, positions=Alibi()),
    "no positions": replace(_LLAMA, positions=None),
    "linear scaling": replace(_LLAMA, positions=Rope(dim=16, scaling=LinearScaling(factor=4.0))),
    "llama3 scaling": replace(
        _LLAMA,
        positions=Rope(
            dim=16,
            base=10000.0,
            scaling=Llama3Scaling(
                factor=8.0,
                low_frequency_factor=1.0,
                high_frequency_factor=4.0,
                original_context=64,
            ),
        ),
    ),
    "yarn scaling": replace(
        _LLAMA,
        positions=Rope(
            dim=16,
            scaling=YarnScaling(factor=4.0, original_context=128, attention_factor=1.1386),
        ),
    ),
}
"""Decoders of other kinds, which are made as bundles."""

_TOKENS = FimTokens(end=0, suffix=1, prefix=2, middle=3, pad=4, file=5)


def make_source(folder: Path, variant: Variant, *, fim: bool = True) -> Path:
    """A Hugging Face folder; without `fim` nothing says how to prompt the model."""
    write_folder(folder, variant)
    train_tokenizer(folder / "tokenizer.json", min(variant.vocab, 400))
    if fim:
        (folder / "fim_config.json").write_text(json.dumps(fim_config(variant.positions)))
    return folder


def make_bundle(
    folder: Path, variant: Variant | DecoderSpec, quantization: str = "float32"
) -> ModelBundle:
    """A bundle of such a model."""
    if isinstance(variant, DecoderSpec):
        return _make_decoder(folder / "bundle", variant, quantization)
    source = make_source(folder / "source", variant)
    convert_folder(source, folder / "bundle", name="random", quantization=quantization)
    return ModelBundle.open(folder / "bundle")


def _make_decoder(folder: Path, spec: DecoderSpec, quantization: str) -> ModelBundle:
    folder.mkdir(parents=True)
    train_tokenizer(folder / TOKENIZER, min(spec.vocab, 400))
    shapes = spec.tensor_shapes()

    def random_tensor(name: str) -> np.ndarray:
        shape = shapes[name]
        values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32)
        if len(shape) == 1:
            return values * np.float32(0.1) + np.float32("norm" in name and "weight" in name)
        return values * np.float32((3.0 if shape[0] == spec.vocab else 1.5) / shape[1] ** 0.5)

    weights = write_bundle_weights(folder / WEIGHTS, spec, random_tensor, quantization)
    tokenizer = folder / TOKENIZER
    encoder = PromptEncoder(
        FimTokenizer.from_file(tokenizer), PromptFormat.of_order(Order.SPM1, _TOKENS)
    )
    manifest = Manifest(
        name="random",
        prompt=encoder.format,
        context_length=512,
        decoder=spec,
        parameters=spec.count_parameters(),
        weights=weights,
        tokenizer=FileFacts(sha256_of(tokenizer), tokenizer.stat().st_size),
        canary=make_canary(encoder),
    )
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return ModelBundle.open(folder)


def with_order(
    folder: Path, order: Order, hole_start: HoleStart, *, context_length: int = 1024
) -> Path:
    """Gives a bundle prompts in another order, and a longer context; returns its folder."""
    bundle = ModelBundle.open(folder)
    prompt = replace(PromptFormat.of_order(order, _TOKENS), hole_start=hole_start)
    encoder = PromptEncoder(bundle.tokenizer, prompt)
    manifest = replace(
        bundle.manifest, prompt=prompt, canary=make_canary(encoder), context_length=context_length
    )
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return folder
