"""The stages of a model, each from folder to folder.

    OUT/corpus      parts of text, licence verdicts, manifest
    OUT/tokenizer   tokenizer.json
    OUT/selection   plain functions and some files of the corpus; only if the recipe says so
    OUT/train       checkpoints, unpacked corpus, training_log.jsonl
    OUT/export      a Hugging Face GPT-NeoX folder
    OUT/bundle      the int8 bundle that the server opens

A stage is skipped if its folder holds the mark of the same recipe and of the same earlier stages.
A folder with the right files but no mark was made elsewhere, and is taken as it is.

Under torchrun all processes train together; the other stages are the first one's work.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.errors import ModelRuntimeError
from model_runtime.training.recipe import Recipe, read_recipe

if TYPE_CHECKING:
    from model_runtime.training.parallel import Processes

logger = logging.getLogger(__name__)
MARK = "stage.json"


class PipelineError(ModelRuntimeError):
    """A stage that cannot begin."""


@dataclass(frozen=True)
class Run:
    """One recipe on its way through the stages."""

    recipe: Recipe
    out: Path
    roots: tuple[Path, ...] = ()
    """Take the place of the recipe's."""
    benchmarks: Path | None = None
    device: str = "cpu"
    processes: int | None = None
    """For the corpus; None takes all processors, 0 this one process."""
    table_bits: int = 32
    """Size of the corpus's table of near-duplicates."""
    initial: Path | None = None
    """Another run, or a `.safetensors` file, whose weights this one begins with."""
    most_steps: int | None = None
    """Of this start; the next one goes on."""
    training: Processes | None = None
    """Those that torchrun has started; None for one alone."""

    @property
    def is_main(self) -> bool:
        """Whether this process does what only one may do."""
        return self.training is None or self.training.is_main

    def folder(self, stage: str) -> Path:
        """Of a stage's results."""
        return self.out / stage

    @property
    def tokenizer(self) -> Path:
        """Result of the second stage."""
        return self.folder("tokenizer") / "tokenizer.json"


@dataclass(frozen=True)
class Stage:
    """What it does, by what file its result is known, which settings it depends on."""

    name: str
    work: Callable[[Run], None]
    result: str
    settings: Callable[[Recipe], Any]


def _corpus(run: Run) -> None:
    from model_runtime.training.corpus import build_corpus

    roots = run.roots or tuple(
        Path(os.path.expandvars(r)).expanduser() for r in run.recipe.corpus.roots
    )
    if not roots:
        raise PipelineError(
            "no corpus: give --root with folders of wheels, or put a corpus into OUT/corpus"
        )
    build_corpus(
        run.recipe.corpus,
        roots,
        run.benchmarks,
        run.folder("corpus"),
        processes=run.processes,
        table_bits=run.table_bits,
    )


def _tokenizer(run: Run) -> None:
    from model_runtime.training.tokenizer_training import train_tokenizer

    density = train_tokenizer(run.recipe.tokenizer, run.folder("corpus"), run.tokenizer)
    logger.info("tokenizer: %.3f bytes per token on held-out documents", density)


def _selection(run: Run) -> None:
    from model_runtime.training.selection import select

    if run.recipe.selection.functions:
        select(run.recipe.selection, run.folder("corpus"), run.folder("selection"))
    else:  # the train stage reads the corpus itself
        (run.folder("selection") / "manifest.json").write_text("{}\n", encoding="utf-8")


def _train(run: Run) -> None:
    from model_runtime.training.train import Trainer  # torch, only when it is needed

    corpus = run.folder("selection" if run.recipe.selection.functions else "corpus")
    trainer = Trainer(
        run.recipe, corpus, run.tokenizer, run.folder("train"), run.device, run.training
    )
    if run.initial is not None:
        trainer.begin_with(run.initial)
    trainer.run(run.most_steps)
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
    from model_runtime.convert import convert_folder

    fim = json.loads((run.folder("export") / "fim_config.json").read_text("utf-8"))
    convert_folder(
        run.folder("export"),
        run.folder("bundle"),
        name=run.recipe.name,
        license="Apache-2.0",
        languages=("python",),
        training={key: fim[key] for key in ("tokens_seen", "step", "rate", "training")},
        progress=logger.info,
    )


STAGES = (
    Stage("corpus", _corpus, "manifest.json", lambda recipe: asdict(recipe.corpus)),
    Stage("tokenizer", _tokenizer, "tokenizer.json", lambda recipe: asdict(recipe.tokenizer)),
    Stage("selection", _selection, "manifest.json", lambda recipe: asdict(recipe.selection)),
    Stage("train", _train, "checkpoints", asdict),
    Stage("export", _export, "model.safetensors", asdict),
    Stage("bundle", _bundle, "manifest.json", asdict),
)
ALWAYS = ("train", "export", "bundle")
"""Never taken as they are: a checkpoint may be half-way, and what was made of it older than it."""


def run(
    recipe_path: Path,
    out: Path,
    stage: str | None = None,
    *,
    roots: Sequence[Path] = (),
    benchmarks: Path | None = None,
    device: str = "cpu",
    processes: int | None = None,
    table_bits: int = 32,
    initial: Path | None = None,
    most_steps: int | None = None,
) -> Path:
    """Run all stages, or one; gives back the folder of the last one run.

    Raises:
        RecipeError: the recipe is wrong.
        PipelineError: a stage lacks what an earlier one makes.
        TrainingStopped: a signal, or `most_steps`, ended the training before its budget did.
    """
    recipe = read_recipe(recipe_path)
    given = Run(
        recipe, out, tuple(roots), benchmarks, device, processes, table_bits, initial, most_steps
    )
    if stage is not None and stage not in [entry.name for entry in STAGES]:
        raise PipelineError(
            f"there is no stage {stage!r}; the stages are "
            + ", ".join(entry.name for entry in STAGES)
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from model_runtime.training.parallel import Processes

        given = replace(given, training=Processes.join(recipe.parallel, device))
    for number, entry in enumerate(STAGES):
        if stage is None or entry.name == stage:
            if given.is_main or entry.name == "train":
                _run_stage(given, number)
            if given.training is not None:
                given.training.wait_long(entry.name)
    return given.folder(stage or STAGES[-1].name)


def _run_stage(given: Run, number: int) -> None:
    stage = STAGES[number]
    folder, mark = given.folder(stage.name), given.folder(stage.name) / MARK
    for earlier in STAGES[:number]:
        if not (given.folder(earlier.name) / earlier.result).exists():
            missing = given.folder(earlier.name) / earlier.result
            raise PipelineError(f"{missing} is missing; run the stage {earlier.name} first")
    key = stage_key(given.recipe, number)
    found = json.loads(mark.read_text("utf-8"))["key"] if mark.exists() else None
    made_elsewhere = found is None and stage.name not in ALWAYS and (folder / stage.result).exists()
    if (found == key and stage.name not in ("export", "bundle")) or made_elsewhere:
        logger.info("%s is up to date", stage.name)
        return
    if given.is_main:
        folder.mkdir(parents=True, exist_ok=True)
        mark.unlink(missing_ok=True)
    logger.info("%s begins", stage.name)
    stage.work(given)
    if given.is_main:
        mark.write_text(json.dumps({"key": key}) + "\n", encoding="utf-8")


def stage_key(recipe: Recipe, number: int) -> str:
    """Hash of all settings that the results of a stage depend on."""
    settings = [entry.settings(recipe) for entry in STAGES[: number + 1]]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
