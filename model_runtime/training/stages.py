"""The stages of a model, each from folder to folder; `pipeline.py` runs them.

    OUT/corpus      parts of text, licence verdicts, manifest
    OUT/tokenizer   tokenizer.json
    OUT/selection   plain functions and some files of the corpus; only if the recipe says so
    OUT/train       checkpoints, unpacked corpus, training_log.jsonl
    OUT/export      a Hugging Face GPT-NeoX folder
    OUT/bundle      the int8 bundle that the server opens
    OUT/score       how well it fills holes

Each stage imports what it needs when it begins.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.errors import ModelRuntimeError

if TYPE_CHECKING:
    from model_runtime.evaluation.sandbox import Sandbox
    from model_runtime.training.parallel import Processes
    from model_runtime.training.recipe import Recipe

logger = logging.getLogger(__name__)


class PipelineError(ModelRuntimeError):
    """A stage that cannot begin."""


@dataclass(frozen=True)
class Run:
    """One recipe on its way through the stages."""

    recipe: Recipe
    out: Path
    roots: tuple[str, ...] = ()
    """Roots of the corpus, in place of the recipe's."""
    benchmarks: Path | None = None
    device: str = "cpu"
    initial: Path | None = None
    """Another run, a snapshot or a bundle, whose weights this one begins with."""
    max_steps: int | None = None
    """Steps of this start; the next one goes on."""
    sandbox: Sandbox | None = None
    """Sandbox in which code that the model wrote is run, to score it; None: it is not run."""
    training: Processes | None = None
    """Processes that torchrun has started; None for one alone."""

    @property
    def is_main(self) -> bool:
        """Whether this process does what only one may do."""
        return self.training is None or self.training.is_main

    def folder(self, stage: str) -> Path:
        """Returns the folder of a stage's results."""
        return self.out / stage

    @property
    def tokenizer(self) -> Path:
        """Result of the second stage."""
        return self.folder("tokenizer") / "tokenizer.json"

    @property
    def text(self) -> Path:
        """Folder of the documents that the network learns."""
        return self.folder("selection" if self.recipe.selection.functions else "corpus")


@dataclass(frozen=True)
class Stage:
    """One step from a recipe to a scored model."""

    name: str
    work: Callable[[Run], None]
    result: str
    """File or folder by which the stage's result is known."""
    section: str = ""
    """Section of the recipe that the stage depends on; empty for the whole recipe."""

    def settings(self, recipe: Recipe) -> dict[str, Any]:
        """Returns the settings that the stage depends on."""
        from attrs import asdict

        return asdict(getattr(recipe, self.section) if self.section else recipe)


def _corpus(run: Run) -> None:
    roots = run.roots or run.recipe.corpus.roots
    if not roots:
        raise PipelineError(
            "no corpus: give --root with folders of code, or put a corpus into OUT/corpus"
        )
    try:
        from model_runtime.training.corpus.build import build_corpus
    except ModuleNotFoundError as error:
        raise PipelineError(
            f"making a corpus needs {error.name}; run `pip install 'fim-lsp[train]'`"
        ) from error
    build_corpus(
        run.recipe.corpus, roots, run.benchmarks, run.folder("corpus"), run.recipe.executor
    )


def _tokenizer(run: Run) -> None:
    from model_runtime.training.tokenizer_training import make_tokenizer

    density = make_tokenizer(run.recipe.tokenizer, run.folder("corpus"), run.tokenizer)
    logger.info("tokenizer: %.3f bytes per token on held-out documents", density)


def _selection(run: Run) -> None:
    from model_runtime.training.selection import select

    if run.recipe.selection.functions:
        select(run.recipe.selection, run.folder("corpus"), run.folder("selection"))
    else:  # the train stage reads the corpus itself
        (run.folder("selection") / "manifest.json").write_text("{}\n", encoding="utf-8")


def _train(run: Run) -> None:
    from model_runtime.training.train import Trainer

    trainer = Trainer(
        run.recipe, run.text, run.tokenizer, run.folder("train"), run.device, run.training
    )
    if run.initial is not None:
        trainer.begin_with(run.initial)
    trainer.run(run.max_steps)
    trainer.check_finished()


def _export(run: Run) -> None:
    from model_runtime.training.export import export

    export(
        run.recipe,
        run.folder("train"),
        run.tokenizer,
        run.folder("corpus"),
        run.folder("export"),
        reports=sorted(run.out.glob("*/report.json")),
    )


def _bundle(run: Run) -> None:
    from model_runtime.importers.huggingface import convert_folder
    from model_runtime.store.hole_probe import choose_hole_start
    from model_runtime.training.file_sample import languages_of, training_entries

    fim = json.loads((run.folder("export") / "fim_config.json").read_text("utf-8"))
    report = convert_folder(
        run.folder("export"),
        run.folder("bundle"),
        name=run.recipe.name,
        license="Apache-2.0",
        languages=languages_of(training_entries(run.text)),
        training={key: fim[key] for key in ("tokens_seen", "step", "rate", "training")},
        progress=logger.info,
    )
    if report.hole_start is None:
        chosen = choose_hole_start(run.folder("bundle"))
        logger.info("holes begin at the %s: measured", chosen.value)


def _score(run: Run) -> None:
    from model_runtime.training.score import score_bundle

    score_bundle(
        run.folder("bundle"),
        run.folder("corpus"),
        run.benchmarks,
        run.folder("score"),
        run.sandbox,
    )


STAGES = (
    Stage("corpus", _corpus, "manifest.json", "corpus"),
    Stage("tokenizer", _tokenizer, "tokenizer.json", "tokenizer"),
    Stage("selection", _selection, "manifest.json", "selection"),
    Stage("train", _train, "checkpoints"),
    Stage("export", _export, "model.safetensors"),
    Stage("bundle", _bundle, "manifest.json"),
    Stage("score", _score, "report.md"),
)
"""Every stage, in order."""
REPEATED = ("export", "bundle", "score")
"""Stages that every start makes anew, since a checkpoint may have gone on meanwhile."""
