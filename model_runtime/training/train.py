"""The training loop: one network on one process or many, resumable at every checkpoint."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.tensor import DTensor

from model_runtime.prompt.orders import FimTokens
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training import checkpoint as checkpoints
from model_runtime.training.batches import Place, RowStream, Source
from model_runtime.training.checkpoint import Checkpoints, Identity, Progress
from model_runtime.training.display import LiveLine
from model_runtime.training.documents import unpack
from model_runtime.training.gradients import Gradients
from model_runtime.training.guard import Guard
from model_runtime.training.interrupt import Interrupt, TrainingStopped
from model_runtime.training.metrics import MetricsLog
from model_runtime.training.network import Layer, Network
from model_runtime.training.optimisers import build_optimisers, current_rate, set_learning_rate
from model_runtime.training.packing import Rows
from model_runtime.training.parallel import Processes, ProcessLost
from model_runtime.training.recipe import Recipe, TrainRecipe
from model_runtime.training.report import Report, StepResult
from model_runtime.training.schedule import Due, rate_factor
from model_runtime.training.shape import shape_of
from model_runtime.training.snapshot import check_shapes, read_initial
from model_runtime.training.special_tokens import tokens_of
from model_runtime.training.throughput import peak_of
from model_runtime.training.validation import Validation

logger = logging.getLogger(__name__)
CHECKPOINTS = "checkpoints"


def identity_of(recipe: Recipe, corpus: Path, tokenizer: Path) -> Identity:
    """What must stay the same within a run; budgets and speeds may change."""
    fixed = {
        "network": asdict(recipe.network),
        "data": asdict(recipe.data),
        "selection": asdict(recipe.selection),
        "optimiser": {"name": recipe.optimiser.name},
        "train": {"seed": recipe.train.seed, "block_mb": recipe.train.block_mb},
    }
    # The index of a corpus holds the hash of every document.
    return Identity(fixed, _digest(sorted(corpus.glob("*.tsv*"))), _digest([tokenizer]))


class Trainer:
    """A network in training."""

    def __init__(
        self,
        recipe: Recipe,
        corpus: Path,
        tokenizer: Path,
        state: Path,
        device: str = "cpu",
        processes: Processes | None = None,
    ) -> None:
        self.processes = processes or Processes()
        self.recipe, self.state = recipe, state
        self.device = self.processes.device(device)
        if recipe.train.threads:
            torch.set_num_threads(max(1, recipe.train.threads // self.processes.local_size))
        words = FimTokenizer.from_file(tokenizer)
        self.tokens: FimTokens = tokens_of(words)
        self.checkpoints = Checkpoints(state / CHECKPOINTS, self.processes, recipe.train.keep)
        self.identity = identity_of(recipe, corpus, tokenizer)
        newest = self.checkpoints.newest()
        self.progress = Progress()
        if newest is not None:
            self.progress, found = checkpoints.read_progress(newest)
            self.identity.check(found, newest)
        self._unpack(corpus)
        self.source = Source(
            folder=state / "corpus",
            tokenizer=tokenizer,
            tokens=self.tokens,
            data=recipe.data,
            context=recipe.network.context,
            block_mb=recipe.train.block_mb,
            seed=recipe.train.seed,
        )
        self.dtype: torch.dtype = getattr(torch, recipe.train.dtype)
        self.per_row = recipe.data.attention_within == "row"
        torch.manual_seed(recipe.train.seed)
        self.network = Network(shape_of(recipe, words.size, self.tokens)).to(self.device)
        self.size = sum(weight.numel() for weight in self.network.parameters())
        prepare_layers(self.network, recipe.train)
        self.gradients = Gradients(
            self.network, recipe.train, self.per_row, self.device, self.processes
        )
        self.optimisers = build_optimisers(self.network, recipe.optimiser)
        self.weights = list(self.network.parameters())
        self.guard = Guard(recipe.train.spike_sigmas, recipe.train.most_bad_steps)
        # Collected once: later FSDP2 may show gathered weights in place of this process's share.
        self.tensors = checkpoints.tensors_of(self.network, self.optimisers)
        if newest is not None:
            checkpoints.restore(newest, self.tensors, alone=self.processes.size == 1)
            self.guard.restore(self.progress.guard)
            logger.info("going on from step %d (%s)", self.progress.step, newest)

    def begin_with(self, weights: Path) -> None:
        """Take over weights, unless this run has begun already.

        Args:
            weights: a run's folder, one of its checkpoints, or a `.safetensors` file.

        Raises:
            CheckpointError: they cannot be read, or fit neither the recipe nor the tokenizer.
        """
        if self.progress.step:
            return
        found: dict[str, Any] = dict(read_initial(weights, self.identity.tokenizer))
        check_shapes(found, dict(self.network.named_parameters()), weights)
        set_model_state_dict(self.network, found, options=StateDictOptions(full_state_dict=True))
        logger.info("the weights are those of %s", weights)

    def run(self, most_steps: int | None = None) -> None:
        """Train to the end of the budget, or for so many steps; then validate and save.

        Raises:
            TrainingStopped: SIGTERM or Ctrl-C was heard; the state is saved.
            TrainingDiverged: many steps in a row had to be skipped.
            CheckpointError: a checkpoint could not be written.
            ProcessLost: another process of the run is gone.
        """
        train = self.recipe.train
        self._log = self._open_log()
        validation = Validation(self.source, train.valid_examples)
        names = [type(optimiser).__name__ for optimiser in self.optimisers]
        logger.info(
            "%s parameters on %s, %d process(es), %s, %s",
            f"{self.size:,}",
            self.device,
            self.processes.size,
            self.processes.strategy,
            names,
        )
        place = Place.at(self.progress.row)
        with (
            self._hearing_of_lost_processes(),
            contextlib.closing(self._log) if self._log else contextlib.nullcontext(),
            Interrupt() as interrupt,
            RowStream(self.source, place, train.workers, self.processes) as rows,
            LiveLine(self.processes.is_main, self.recipe.name) as line,
        ):
            number = self._loop(rows, validation, most_steps, interrupt, line)
            if number:
                raise TrainingStopped(number, self.progress.step, self.save())
            self._validate(validation)
            self.save()

    def check_finished(self) -> None:
        """Raise TrainingStopped if some of the budget is left."""
        if self.progress.share(self.recipe.train) < 1:
            raise TrainingStopped(0, self.progress.step, self.checkpoints.newest())

    def step(self, rows: Rows, seconds: float = 0.0, heard: int = 0) -> StepResult:
        """One step of the optimisers, the same on every process.

        Args:
            rows: of all processes together.
            seconds: since the last step; the main process's count.
            heard: signal that this process has received.
        """
        recipe = self.recipe
        factor = rate_factor(self.progress.share(recipe.train), recipe.optimiser)
        set_learning_rate(self.optimisers, recipe.optimiser.learning_rate * factor)
        share = self.gradients.compute(rows)
        norm = torch.nn.utils.clip_grad_norm_(self.weights, recipe.optimiser.clip)
        if isinstance(norm, DTensor):
            norm = norm.full_tensor()
        clock = seconds if self.processes.is_main else 0.0
        loss, seconds, signals = self.processes.sum([float(share), clock, float(heard)])
        try:
            reason = self.guard.verdict(loss, float(norm))
            if reason is None:
                for optimiser in self.optimisers:
                    optimiser.step()
        finally:
            for weight in self.weights:
                weight.grad = None
        # Two processes may have heard different signals; SIGTERM is the more polite end.
        heard = heard or (signal.SIGTERM if signals else 0)
        return StepResult(loss, float(norm), seconds, heard, reason)

    def save(self, name: str | None = None) -> Path:
        """Write a checkpoint."""
        self.progress.guard = self.guard.state()
        return self.checkpoints.save(self.tensors, self.progress, self.identity, name)

    def _loop(
        self,
        rows: RowStream,
        validation: Validation,
        most_steps: int | None,
        interrupt: Interrupt,
        line: LiveLine,
    ) -> int:
        """Number of the signal that ended it, or 0."""
        recipe, train, progress = self.recipe, self.recipe.train, self.progress
        report = self._report(line)
        valid = Due(train.valid_seconds, train.valid_steps, progress)
        saving = Due(train.save_seconds, train.save_steps, progress)
        decay = recipe.optimiser.decay if recipe.optimiser.schedule == "wsd" else 0.0
        decaying = progress.share(train) >= 1 - decay
        first_step, last = progress.step, time.monotonic()
        while progress.share(train) < 1:
            if most_steps is not None and progress.step - first_step >= most_steps:
                return 0
            taken = rows.take(train.rows_per_step)
            now = time.monotonic()
            result = self.step(taken, now - last, interrupt.signal)
            last = now
            progress.step += 1
            progress.tokens += sum(map(sum, taken.lengths))
            progress.seconds += result.seconds
            progress.row = rows.place.number
            if report:
                skipped = self.guard.skipped
                report.step(progress, result, rows, current_rate(self.optimisers), skipped)
            if result.heard:
                return result.heard
            if not decaying and progress.share(train) >= 1 - decay:
                decaying = True
                self.save("before-decay")  # another decay can start here
            if valid.now(progress):
                self._validate(validation)
                if report:
                    report.pause(progress, rows)
            if saving.now(progress):
                self.save()
                if report:
                    report.pause(progress, rows)
        return 0

    def _validate(self, validation: Validation) -> None:
        figures = validation.measure(self.network, self.dtype, self.per_row)
        if self._log is not None:
            self._log.write(
                event="valid",
                step=self.progress.step,
                tokens=self.progress.tokens,
                seconds=round(self.progress.seconds, 1),
                **figures,
            )

    def _open_log(self) -> MetricsLog | None:
        if not self.processes.is_main:
            return None
        log = MetricsLog(self.state, self.recipe.train.tensorboard)
        log.forget_after(self.progress.step)
        return log

    def _report(self, line: LiveLine) -> Report | None:
        if self._log is None:
            return None
        self._log.quiet = line.visible
        peak = peak_of(self.device, self.dtype)
        peak = peak._replace(flops=peak.flops * self.processes.size)
        logger.info("peak of all processes: %.3g TFLOP/s (%s)", peak.flops / 1e12, peak.source)
        return Report(self.recipe, self.network.shape, peak, self._log, line, self.progress)

    def _unpack(self, corpus: Path) -> None:
        """Texts of the corpus as plain files; those of an earlier corpus are removed."""
        if self.processes.is_main:
            folder, mark = self.state / "corpus", self.state / "corpus" / "digest"
            known = mark.read_text("utf-8") if mark.exists() else None
            if known != self.identity.corpus:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            mark.write_text(self.identity.corpus, encoding="utf-8")
            unpack(corpus, folder)
        self.processes.wait()

    @contextlib.contextmanager
    def _hearing_of_lost_processes(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            words = str(error)
            if self.processes.size == 1 or not any(
                word in words for word in ("onnection", "gloo", "NCCL", "imed out")
            ):
                raise
            newest = self.checkpoints.newest()
            raise ProcessLost(
                "another process of this run has ended or is not heard of any more; its own last "
                "lines say why. The same command goes on "
                + (f"from {newest}" if newest else "from the start, as no checkpoint was written")
            ) from error


def prepare_layers(network: Network, recipe: TrainRecipe) -> None:
    """Activation checkpointing and torch.compile, layer by layer."""
    for layer in network.gpt_neox.layers:
        assert isinstance(layer, Layer)
        layer.recompute = recipe.recompute
        if recipe.compile_layers:
            layer.compile(dynamic=False)


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
