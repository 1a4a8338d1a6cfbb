"""Stage 4: exports a checkpoint as a Hugging Face GPT-NeoX folder.

    model.safetensors        weights under transformers' names; the output head is the embedding
    config.json              GPTNeoXForCausalLM, with rotary settings in the old and the new
                             spelling, and the ids of the sentinels as GGUF names them
    tokenizer.json, generation_config.json
    tokenizer_config.json    with a block `fim`: order of parts, sentinels and their ids, context
    fim_config.json          the same, and how it was trained: what a converter reads
    README.md                the model card, from the recipe, the log and the scores
    training_log.jsonl, corpus_manifest.json, licences.tsv    where it comes from

The GPT-NeoX of transformers has no ALiBi: it would rotate the heads of such a model and say
nothing.  The folder of one therefore names another `model_type`, which transformers refuses and our
converter reads.
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
from model_runtime.evaluation.training_curve import LOG
from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training import checkpoint as checkpoints
from model_runtime.training.export_configs import (
    fim_block,
    generation_config,
    model_config,
    tokenizer_config,
    training_facts,
    training_table,
)
from model_runtime.training.file_sample import languages_of, training_entries
from model_runtime.training.model_card import ModelFacts, card_of, last_validation, reports_of
from model_runtime.training.network import TrainingNetwork
from model_runtime.training.recipe import Recipe
from model_runtime.training.shape import shape_of
from model_runtime.training.special_tokens import tokens_of

CARD = "README.md"
_ALIBI_NOTE = (
    "`transformers` has no GPT-NeoX with ALiBi and refuses this folder; "
    "`fim-runtime models add FOLDER` makes a bundle of it, which every engine runs."
)


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
    """Writes the folder from the newest checkpoint; a run in progress is not disturbed.

    Args:
        recipe: the recipe by which it was trained.
        state: folder of the train stage.
        tokenizer_path: tokenizer.json.
        corpus: folder of the corpus; what it keeps of its sources is taken along.
        out: the folder to write.
        dtype: number type of the weights.
        reports: report.json files of evaluations; those of these very weights go into the card.

    Raises:
        ExportError: there is no checkpoint, or its weights have another shape than the recipe's.
    """
    path = checkpoints.newest(state / "checkpoints")
    if path is None:
        raise ExportError(
            f"{state} holds no checkpoint; train first, one is written every few minutes"
        )
    progress, _ = checkpoints.read_progress(path)
    tokenizer = FimTokenizer.from_file(tokenizer_path)
    shape, tokens = shape_of(recipe, tokenizer.size), tokens_of(tokenizer)
    network = TrainingNetwork(shape)
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
    languages = languages_of(training_entries(corpus))
    described = {**fim, **training_facts(recipe, progress, parameters, languages)}
    _write(out / "fim_config.json", described)
    _write(out / "tokenizer_config.json", {**tokenizer_config(shape, tokens), "fim": fim})
    _write(out / "generation_config.json", generation_config(tokens))
    for source, name in (
        (tokenizer_path, "tokenizer.json"),
        (state / LOG, LOG),
        (corpus / "manifest.json", "corpus_manifest.json"),
        (corpus / "licences.tsv", "licences.tsv"),
    ):
        if source.exists():
            shutil.copyfile(source, out / name)
    facts = ModelFacts(
        name=recipe.name,
        parameters=f"{parameters:,} parameters (counted from the checkpoint)",
        shape=shape,
        prompt=PromptFormat.of_order(Order(fim["order"]), FimTokens(**fim["ids"])),
        tokens=fim["tokens"],
        ids=fim["ids"],
        corpus=corpus,
        training=training_table(recipe, described),
        held_out=last_validation(state / LOG),
        reports=reports_of(reports, recipe.name, progress.tokens),
        languages=languages,
        notes=[_ALIBI_NOTE] if shape.positions == "alibi" else [],
    )
    (out / CARD).write_text(card_of(facts), encoding="utf-8")
    return out


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
