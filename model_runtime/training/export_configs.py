"""The configuration files of an exported folder, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_runtime.exporters.gguf_names import fim_token_ids
from model_runtime.models.families.neox import ALIBI_TYPE
from model_runtime.prompt.orders import FimTokens
from model_runtime.training.checkpoint import RunProgress
from model_runtime.training.network import Shape
from model_runtime.training.recipe import Recipe
from model_runtime.training.special_tokens import NAMES

FORMAT_VERSION = 1


def model_config(shape: Shape, tokens: FimTokens, dtype: str) -> dict[str, Any]:
    """Returns config.json; rotary settings are spelled as by version 4 and by version 5 of
    transformers.
    """
    is_alibi = shape.positions == "alibi"
    rotary = {
        "rotary_pct": shape.rotary_share,
        "rotary_emb_base": int(shape.rotary_base),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": shape.rotary_base,
            "partial_rotary_factor": shape.rotary_share,
        },
    }
    return {
        "architectures": ["GPTNeoXAlibiForCausalLM" if is_alibi else "GPTNeoXForCausalLM"],
        "model_type": ALIBI_TYPE if is_alibi else "gpt_neox",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": 4 * shape.width,
        "hidden_act": "gelu",
        "max_position_embeddings": shape.context,
        **({} if is_alibi else rotary),
        "position_embedding_type": shape.positions,
        "use_parallel_residual": shape.parallel_residual,
        "tie_word_embeddings": shape.tied,
        "attention_bias": True,
        "layer_norm_eps": 1e-5,
        "attention_dropout": 0.0,
        "hidden_dropout": 0.0,
        "classifier_dropout": 0.0,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": tokens.end,
        "eos_token_id": tokens.end,
        "pad_token_id": tokens.pad,
        **fim_token_ids(tokens.by_role()),
        "dtype": dtype,
        "torch_dtype": dtype,
    }


def fim_block(recipe: Recipe, tokens: FimTokens) -> dict[str, Any]:
    """Returns how the model must be prompted."""
    data = recipe.data
    ids = tokens.by_role()
    return {
        "format_version": FORMAT_VERSION,
        "order": next(iter(data.orders)),
        # A model that learned holes at cursors may fill lines better all the same: it is measured.
        **({"hole_start": data.hole_start} if data.hole_start == "line" else {}),
        "tokens": {role: NAMES[role] for role in ids},
        "ids": ids,
        "context": recipe.network.context,
        "level": recipe.level,
        "rate": data.fim_rate,
        "position_embedding": recipe.network.positions,
    }


def training_facts(
    recipe: Recipe, progress: RunProgress, parameters: int, languages: Sequence[str]
) -> dict[str, Any]:
    """Returns how the model was trained, and of which languages it has read much."""
    return {
        "name": recipe.name,
        "orders_trained": recipe.data.orders,
        "spans": recipe.data.spans,
        "parameters": parameters,
        "languages": list(languages),
        "step": progress.step,
        "tokens_seen": progress.tokens,
        "training": {
            "seconds": round(progress.seconds),
            "share_of_budget": round(min(1.0, progress.share(recipe.train)), 4),
            "optimizer": recipe.optimizer.name,
            "learning_rate": recipe.optimizer.learning_rate,
            "dtype": recipe.train.dtype,
        },
    }


def training_table(recipe: Recipe, fim: Mapping[str, Any]) -> list[str]:
    """Returns a table in Markdown of how the model was trained.

    Args:
        recipe: the recipe by which it was trained.
        fim: the content of fim_config.json.
    """
    data, optimizer, train = recipe.data, recipe.optimizer, recipe.train
    training = fim["training"]
    mix = ", ".join(f"{name} {share:g}" for name, share in data.orders.items())
    spans = ", ".join(f"{name} {share:g}" for name, share in data.spans.items())
    rows = (
        ("steps", f"{fim['step']:,} ({training['share_of_budget']:.0%} of the budget)"),
        ("tokens", f"{fim['tokens_seen']:,}"),
        ("rows a step", f"{train.rows_per_step}, of up to {recipe.network.context} tokens"),
        ("time", f"{training['seconds']:,} s"),
        ("windows with a hole", f"{data.fim_rate:.0%}"),
        ("orders", mix),
        ("holes", f"{spans}; {recipe.level} level"),
        (
            "optimizer",
            f"{optimizer.name}, learning rate {optimizer.learning_rate:g}, {optimizer.schedule}, "
            f"weight decay {optimizer.weight_decay:g}, clipping {optimizer.clip:g}",
        ),
        ("numbers", train.dtype),
        ("seed", str(train.seed)),
    )
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def tokenizer_config(shape: Shape, tokens: FimTokens) -> dict[str, Any]:
    """Returns tokenizer_config.json as transformers reads it."""
    named = {
        f"{role}_token": NAMES[role]
        for role in ("suffix", "prefix", "middle", "file")
        if getattr(tokens, role) is not None
    }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": shape.context,
        "bos_token": NAMES["end"],
        "eos_token": NAMES["end"],
        "pad_token": NAMES["end" if tokens.pad is None else "pad"],
        "extra_special_tokens": named,
        "clean_up_tokenization_spaces": False,
    }


def generation_config(tokens: FimTokens) -> dict[str, Any]:
    """Returns settings of greedy decoding; every sentinel ends an answer."""
    stops = [id_ for id_ in tokens.all() if id_ != tokens.pad]
    return {
        "do_sample": False,
        "bos_token_id": tokens.end,
        "eos_token_id": stops,
        "pad_token_id": tokens.pad,
    }
