"""Write a Hugging Face GPT-NeoX folder with random weights, of any shape, without torch.

    python tests/support/random_neox.py /tmp/small --layers 8 --hidden 512 --heads 8 --vocab 8192
    python tests/support/random_neox.py /tmp/seed-shape --seed-shape \
        --tokenizer tests/data/20B_tokenizer.json

The second is shaped as CarperAI/FIM-NeoX-1.3B: 24 x 2048, vocabulary 50280, the GPT-NeoX-20B
tokenizer with the three sentinels.  Every variant that the converter must handle has its switch.
Weights are made and written tensor by tensor, so memory stays small.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.families.neox import NEOX
from model_runtime.models.families.settings import Settings
from model_runtime.models.weights import DTYPES, Array, TensorLayout, write_weights
from model_runtime.prompt.tokenizer import with_sentinels

_TEXTS = sorted(Path(__file__).parents[2].glob("benchmarks/replay_set/*/*.py"))
"""Texts that tokenizers are trained on; others would give other ids, and other costs in tests."""
SENTINELS = ("<|endoftext|>", "<|SUF|>", "<|PRE|>", "<|MID|>", "<|pad|>", "<|file|>")


@dataclass(frozen=True)
class Variant:
    """A model to write; the defaults are tiny."""

    layers: int = 2
    hidden: int = 64
    heads: int = 4
    vocab: int = 512
    intermediate: int = 0
    """0 is four times `hidden`."""
    positions: int = 512
    activation: str = "gelu"
    rotary: float = 0.25
    """Fraction of each head that is rotated."""
    rotary_base: float = 10000.0
    tied: bool = False
    sequential: bool = False
    """use_parallel_residual = false"""
    alibi: bool = False
    old_spelling: bool = False
    """rotary_pct and rotary_emb_base in place of rope_parameters."""
    dtype: str = "float32"
    shards: int = 1
    seed: int = 0

    @property
    def decoder(self) -> DecoderSpec:
        return NEOX.spec(Settings(config(self), Path("config.json")))


SEED_SHAPE = Variant(
    layers=24,
    hidden=2048,
    heads=16,
    vocab=50280,
    positions=2048,
    rotary=1.0,
    sequential=True,
    old_spelling=True,
    dtype="bfloat16",
    shards=3,
)
"""CarperAI/FIM-NeoX-1.3B; what its card leaves open as the defaults of its training code."""


def write_folder(target: Path, variant: Variant) -> None:
    """Write config.json and the weights; the tokenizer and fim_config.json are the caller's."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(config(variant), indent=1), encoding="utf-8")
    shapes = source_shapes(variant.decoder)
    names = list(shapes)
    per_shard = -(-len(names) // variant.shards)
    weight_map = {}
    for number in range(variant.shards):
        part = names[number * per_shard : (number + 1) * per_shard]
        file = "model.safetensors"
        if variant.shards > 1:
            file = f"model-{number + 1:05}-of-{variant.shards:05}.safetensors"
        layout = {name: TensorLayout(DTYPES[variant.dtype], shapes[name]) for name in part}
        write_weights(target / file, layout, random_tensors(variant, layout))
        weight_map |= dict.fromkeys(part, file)
    if variant.shards > 1:
        index = {"metadata": {}, "weight_map": weight_map}
        (target / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def source_shapes(decoder: DecoderSpec) -> dict[str, tuple[int, ...]]:
    """Shapes of a GPT-NeoX checkpoint's tensors, by their names in it."""
    recipes = NEOX.tensors(decoder)
    return {recipes[name].sources[0]: shape for name, shape in decoder.tensor_shapes().items()}


def config(variant: Variant) -> dict[str, object]:
    values: dict[str, object] = {
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "vocab_size": variant.vocab,
        "hidden_size": variant.hidden,
        "num_hidden_layers": variant.layers,
        "num_attention_heads": variant.heads,
        "intermediate_size": variant.intermediate or 4 * variant.hidden,
        "hidden_act": variant.activation,
        "max_position_embeddings": variant.positions,
        "layer_norm_eps": 1e-5,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "use_parallel_residual": not variant.sequential,
        "tie_word_embeddings": variant.tied,
        "attention_bias": True,
    }
    if variant.alibi:
        values["position_embedding_type"] = "alibi"
    if variant.old_spelling:
        values |= {"rotary_pct": variant.rotary, "rotary_emb_base": variant.rotary_base}
    else:
        values["rope_parameters"] = {
            "rope_type": "default",
            "rope_theta": variant.rotary_base,
            "partial_rotary_factor": variant.rotary,
        }
    return values


def random_tensors(
    variant: Variant, layout: dict[str, TensorLayout]
) -> Iterator[tuple[str, Array]]:
    """Weights with which every layer matters and logits differ by a few units."""
    for name, (_, shape) in layout.items():
        # By name, so that the same model comes out however it is cut into shards.
        rng = np.random.default_rng((variant.seed, zlib.crc32(name.encode())))
        values = rng.standard_normal(shape, np.float32)
        if len(shape) == 1:
            values *= np.float32(0.02)
            if "norm" in name and name.endswith("weight"):
                values += 1
        else:
            values *= np.float32((3.0 if shape[0] == variant.vocab else 1.5) / shape[1] ** 0.5)
        yield name, _as_stored(values, variant.dtype)


def _as_stored(values: Array, dtype: str) -> Array:
    if dtype == "bfloat16":  # round to nearest, ties to even, on the upper 16 bits
        bits = values.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return values.astype(dtype)


def train_tokenizer(path: Path, vocab: int) -> None:
    """A byte-level BPE of at most `vocab` ids with our sentinels."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[AddedToken(text, special=True, normalized=False) for text in SENTINELS],
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator((path.read_text(encoding="utf-8") for path in _TEXTS), trainer)
    tokenizer.save(str(path))


def fim_config(context: int) -> dict[str, object]:
    """Return a fim_config.json as our training writes it, for a tokenizer of `train_tokenizer`."""
    roles = ("end", "suffix", "prefix", "middle", "pad", "file")
    return {
        "format_version": 1,
        "order": "spm1",
        "context": context,
        "tokens": dict(zip(roles, SENTINELS, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", type=Path)
    for name in (
        "layers",
        "hidden",
        "heads",
        "intermediate",
        "vocab",
        "positions",
        "shards",
        "seed",
    ):
        parser.add_argument(f"--{name}", type=int, default=argparse.SUPPRESS)
    for name in ("rotary", "rotary-base"):
        parser.add_argument(f"--{name}", type=float, default=argparse.SUPPRESS)
    for name in ("tied", "sequential", "alibi", "old-spelling"):
        parser.add_argument(f"--{name}", action="store_true", default=argparse.SUPPRESS)
    parser.add_argument(
        "--dtype", choices=("float32", "float16", "bfloat16"), default=argparse.SUPPRESS
    )
    parser.add_argument("--seed-shape", action="store_true", help="24 x 2048, vocabulary 50280")
    parser.add_argument("--tokenizer", type=Path, help="GPT-NeoX-20B's; gets the seed's sentinels")
    given = vars(parser.parse_args())
    target, tokenizer = given.pop("target"), given.pop("tokenizer")
    variant = replace(SEED_SHAPE if given.pop("seed_shape") else Variant(), **given)
    write_folder(target, variant)
    if tokenizer:
        with_sentinels(tokenizer).save(target / "tokenizer.json")
    else:
        train_tokenizer(target / "tokenizer.json", variant.vocab)
        fim = json.dumps(fim_config(variant.positions), indent=1)
        (target / "fim_config.json").write_text(fim, encoding="utf-8")
    print(f"{target}: {variant.decoder.count_parameters() / 1e6:.1f} M parameters")


if __name__ == "__main__":
    main()
