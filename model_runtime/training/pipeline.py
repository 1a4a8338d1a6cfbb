"""The stages of a model, each from folder to folder.

    OUT/corpus      parts of text, licence verdicts, manifest
    OUT/tokenizer   tokenizer.json
    OUT/selection   plain functions and some files of the corpus; only if the recipe says so
    OUT/train       checkpoints, unpacked corpus, training_log.jsonl
    OUT/export      a Hugging Face GPT-NeoX folder
    OUT/bundle      the int8 bundle that the server opens
    OUT/score       how well it fills holes

A stage is skipped if its folder holds the mark of the same recipe and of the same earlier stages.
The mark is written before the stage begins, and again when it has ended; so a stage that was ended
by force is begun anew.  A folder with the right files and no mark at all was made elsewhere, and is
taken as it is.

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
from model_runtime.evaluation.records import write_text
from model_runtime.evaluation.sandbox import Sandbox
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
    roots: tuple[str, ...] = ()
    """Take the place of the recipe's."""
    benchmarks: Path | None = None
    device: str = "cpu"
    initial: Path | None = None
    """Another run, or a `.safetensors` file, whose weights this one begins with."""
    most_steps: int | None = None
    """Of this start; the next one goes on."""
    sandbox: Sandbox | None = None
    """Where code that the model wrote is run, to score it; None: it is not."""
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
    from model_runtime.hole_probe import choose_hole_start

    fim = json.loads((run.folder("export") / "fim_config.json").read_text("utf-8"))
    report = convert_folder(
        run.folder("export"),
        run.folder("bundle"),
        name=run.recipe.name,
        license="Apache-2.0",
        languages=("python",),
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
    Stage("corpus", _corpus, "manifest.json", lambda recipe: asdict(recipe.corpus)),
    Stage("tokenizer", _tokenizer, "tokenizer.json", lambda recipe: asdict(recipe.tokenizer)),
    Stage("selection", _selection, "manifest.json", lambda recipe: asdict(recipe.selection)),
    Stage("train", _train, "checkpoints", asdict),
    Stage("export", _export, "model.safetensors", asdict),
    Stage("bundle", _bundle, "manifest.json", asdict),
    Stage("score", _score, "report.md", asdict),
)
REPEATED = ("export", "bundle", "score")
"""Made anew by every start: a checkpoint may have gone on since."""


def run(
    recipe_path: Path,
    out: Path,
    stage: str | None = None,
    *,
    roots: Sequence[str | Path] = (),
    benchmarks: Path | None = None,
    device: str = "cpu",
    initial: Path | None = None,
    most_steps: int | None = None,
    execute: bool = False,
) -> Path:
    """Run all stages, or one; gives back the folder of the bundle, or of the one stage.

    Raises:
        RecipeError: the recipe is wrong.
        PipelineError: a stage lacks what an earlier one makes.
        SandboxUnavailable: code may be executed, but nothing here can confine it.
        TrainingStopped: a signal, or `most_steps`, ended the training before its budget did.
    """
    recipe = read_recipe(recipe_path)
    # Before hours of training: is there a sandbox?
    sandbox = Sandbox.open() if execute else None
    named = tuple(map(str, roots))
    given = Run(recipe, out, named, benchmarks, device, initial, most_steps, sandbox)
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
    return given.folder(stage or "bundle")


def _run_stage(given: Run, number: int) -> None:
    stage = STAGES[number]
    folder, mark = given.folder(stage.name), given.folder(stage.name) / MARK
    for earlier in STAGES[:number]:
        if not (given.folder(earlier.name) / earlier.result).exists():
            missing = given.folder(earlier.name) / earlier.result
            raise PipelineError(f"{missing} is missing; run the stage {earlier.name} first")
    key = stage_key(given, number)
    found = json.loads(mark.read_text("utf-8")) if mark.exists() else None
    if (folder / stage.result).exists() and stage.name not in REPEATED:
        made_elsewhere = found is None and stage.name != "train"
        if made_elsewhere or (found and found["key"] == key and found["ended"]):
            logger.info("%s is up to date", stage.name)
            return

    def write_mark(ended: bool) -> None:
        if given.is_main:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"key": key, "ended": ended, "given": _given_there(given)})
            write_text(mark, text + "\n")  # at once: other processes may be reading it

    logger.info("%s begins", stage.name)
    write_mark(ended=False)
    stage.work(given)
    write_mark(ended=True)


def stage_key(given: Run, number: int) -> str:
    """Hash of all that the results of a stage depend on.

    Of the files below a root only their names are known here: `corpus/manifest.json` says what was
    read, and training refuses another corpus than the one it began with.
    """
    settings: list[Any] = [entry.settings(given.recipe) for entry in STAGES[: number + 1]]
    text = json.dumps([*settings, _given_there(given)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _given_there(given: Run) -> dict[str, Any]:
    """Roots and benchmarks of the command line; of the start that made the corpus if none is given.

    A run is thus continued without saying them again.
    """
    mark = given.folder("corpus") / MARK
    if not given.roots and not given.benchmarks and mark.exists():
        known: dict[str, Any] = json.loads(mark.read_text("utf-8")).get("given", {})
        return known
    tasks = sorted(given.benchmarks.rglob("*.jsonl*")) if given.benchmarks else []
    return {
        "roots": sorted(given.roots),
        "benchmarks": [[path.name, path.stat().st_size] for path in tasks],
    }
