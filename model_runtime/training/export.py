"""Stage 4: from a checkpoint to a Hugging Face GPT-NeoX folder.

model.safetensors        weights under transformers' names; the output head is the embedding
config.json              GPTNeoXForCausalLM, with rotary settings in the old and the new spelling,
                         and the ids of the sentinels as GGUF names them
tokenizer.json, generation_config.json
tokenizer_config.json    with a block `fim`: order of parts, sentinels and their ids, context
fim_config.json          the same, and how it was trained: what a converter reads
README.md                the model card, from the recipe, the log and the scores
training_log.jsonl, corpus_manifest.json, licences.tsv    where it comes from

transformers' GPT-NeoX has no ALiBi: it would rotate the heads of such a model and say nothing.  Its
folder therefore names another `model_type`, which transformers refuses and our converter reads.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from model_runtime.errors import ModelRuntimeError
from model_runtime.exporters.gguf_names import fim_token_ids
from model_runtime.models.decoder import ALIBI_TYPE
from model_runtime.prompt.orders import FimTokens
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training import checkpoint as checkpoints
from model_runtime.training.checkpoint import Progress
from model_runtime.training.folder_card import CARD, folder_card
from model_runtime.training.network import Network, Shape
from model_runtime.training.recipe import Recipe
from model_runtime.training.shape import shape_of
from model_runtime.training.special_tokens import NAMES, tokens_of

FORMAT_VERSION = 1


class ExportError(ModelRuntimeError):
    """A checkpoint that does not become the model its recipe describes."""


def export(
    recipe: Recipe,
    state: Path,
    tokenizer_path: Path,
    corpus: Path,
    out: Path,
    dtype: str = "float32",
    reports: Sequence[Path] = (),
) -> Path:
    """Write the folder from the newest checkpoint; a run in progress is not disturbed.

    Args:
        recipe: by which it was trained.
        state: folder of the train stage.
        tokenizer_path: tokenizer.json.
        corpus: folder of the corpus; what it keeps of its sources is taken along.
        out: the folder.
        dtype: of the weights.
        reports: report.json files of the judge; those of these very weights go into the card.

    Raises:
        ExportError: there is no checkpoint, its weights have another shape than the recipe's, or
            no engine could run the model.
    """
    if not recipe.network.is_servable:
        raise ExportError(
            f"{recipe.name!r} restarts ALiBi in each part, which no engine can serve; compare it "
            "by the figures in its log, or train with alibi_restart = false to export"
        )
    path = checkpoints.newest(state / "checkpoints")
    if path is None:
        raise ExportError(
            f"{state} holds no checkpoint; train first, one is written every few minutes"
        )
    progress, _ = checkpoints.read_progress(path)
    tokenizer = FimTokenizer.from_file(tokenizer_path)
    shape, tokens = shape_of(recipe, tokenizer.size), tokens_of(tokenizer)
    network = Network(shape)
    try:
        network.load_state_dict(checkpoints.read_weights(path))
    except RuntimeError as error:
        raise ExportError(f"{path} does not fit the recipe {recipe.name!r}: {error}") from error
    out.mkdir(parents=True, exist_ok=True)
    weights = {
        name: weight.detach().to(getattr(torch, dtype)).contiguous()
        for name, weight in network.state_dict().items()
    }
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    _write(out / "config.json", model_config(shape, tokens, dtype))
    fim = fim_block(recipe, tokens)
    parameters = sum(weight.numel() for weight in weights.values())
    described = {**fim, **training_facts(recipe, progress, parameters)}
    _write(out / "fim_config.json", described)
    _write(out / "tokenizer_config.json", {**tokenizer_config(shape, tokens), "fim": fim})
    _write(out / "generation_config.json", generation_config(tokens))
    for source, name in (
        (tokenizer_path, "tokenizer.json"),
        (state / "training_log.jsonl", "training_log.jsonl"),
        (corpus / "manifest.json", "corpus_manifest.json"),
        (corpus / "licences.tsv", "licences.tsv"),
    ):
        if source.exists():
            shutil.copyfile(source, out / name)
    card = folder_card(recipe, shape, described, state, corpus, reports)
    (out / CARD).write_text(card, encoding="utf-8")
    return out


def model_config(shape: Shape, tokens: FimTokens, dtype: str) -> dict[str, Any]:
    """What transformers reads; rotary settings as version 4 and as version 5 spells them."""
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
    """How the model must be prompted."""
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


def training_facts(recipe: Recipe, progress: Progress, parameters: int) -> dict[str, Any]:
    """How it was trained."""
    return {
        "name": recipe.name,
        "orders_trained": recipe.data.orders,
        "spans": recipe.data.spans,
        "parameters": parameters,
        "step": progress.step,
        "tokens_seen": progress.tokens,
        "training": {
            "seconds": round(progress.seconds),
            "share_of_budget": round(min(1.0, progress.share(recipe.train)), 4),
            "optimiser": recipe.optimiser.name,
            "learning_rate": recipe.optimiser.learning_rate,
            "dtype": recipe.train.dtype,
            "languages": ["python"],
        },
    }


def tokenizer_config(shape: Shape, tokens: FimTokens) -> dict[str, Any]:
    """What transformers' tokenizer reads."""
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
    """Greedy; every sentinel ends an answer, for none belongs into one."""
    stops = [id_ for id_ in tokens.all() if id_ != tokens.pad]
    return {
        "do_sample": False,
        "bos_token_id": tokens.end,
        "eos_token_id": stops,
        "pad_token_id": tokens.pad,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
