"""Runs the training loop: one network on one process or many, resumable at every checkpoint."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.tensor import DTensor

from model_runtime.prompt.orders import FimTokens
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training import checkpoint as checkpoints
from model_runtime.training.batches import RowSource, RowStream, StreamPosition
from model_runtime.training.checkpoint import Checkpoints, RunProgress
from model_runtime.training.display import ProgressLine
from model_runtime.training.gradients import Gradients
from model_runtime.training.initial_weights import check_shapes, read_initial
from model_runtime.training.metrics import MetricsLog
from model_runtime.training.network import Layer, TrainingNetwork
from model_runtime.training.optimizers import build_optimizers, current_rate, set_learning_rate
from model_runtime.training.packing import PackedRows
from model_runtime.training.parallel import Processes, telling_of_lost_processes
from model_runtime.training.recipe import Recipe, TrainRecipe
from model_runtime.training.run_identity import identity_of, unpack_for
from model_runtime.training.schedule import Due, rate_factor
from model_runtime.training.shape import shape_of
from model_runtime.training.special_tokens import tokens_of
from model_runtime.training.step_filter import StepFilter
from model_runtime.training.step_reporter import StepReporter, StepResult
from model_runtime.training.stop_signal import StopSignal, TrainingStopped
from model_runtime.training.throughput import peak_of
from model_runtime.training.validation import Validation

logger = logging.getLogger(__name__)
CHECKPOINTS = "checkpoints"


class Trainer:
    """A network in training, with everything that moves it.

    Raises:
        CheckpointError: the state belongs to another recipe, corpus or tokenizer.
    """

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
        self.progress = RunProgress()
        if newest is not None:
            self.progress, found = checkpoints.read_progress(newest)
            self.identity.check(found, newest)
        unpack_for(self.identity, corpus, state / "corpus", self.processes)
        self.source = RowSource(
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
        self.network = TrainingNetwork(shape_of(recipe, words.size)).to(self.device)
        self.size = sum(weight.numel() for weight in self.network.parameters())
        prepare_layers(self.network, recipe.train)
        self.gradients = Gradients(
            self.network, recipe.train, self.per_row, self.device, self.processes
        )
        self.optimizers = build_optimizers(self.network, recipe.optimizer)
        self.weights = list(self.network.parameters())
        self.step_filter = StepFilter(recipe.train.spike_sigmas, recipe.train.max_skipped_steps)
        # Collected once: later FSDP2 may show gathered weights in place of this process's share.
        self.tensors = checkpoints.tensors_of(self.network, self.optimizers)
        if newest is not None:
            checkpoints.restore(newest, self.tensors, alone=self.processes.size == 1)
            self.step_filter.restore(self.progress.step_filter)
            logger.info("going on from step %d (%s)", self.progress.step, newest)

    def begin_with(self, weights: Path) -> None:
        """Takes over weights, unless this run has begun already.

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

    def run(self, max_steps: int | None = None) -> None:
        """Trains to the end of the budget, or for so many steps; then validate and saves.

        Raises:
            TrainingStopped: SIGTERM or Ctrl-C was heard; the state is saved.
            TrainingDiverged: many steps in a row had to be skipped.
            CheckpointError: a checkpoint could not be written.
            ProcessLost: another process of the run is gone.
        """
        train = self.recipe.train
        self._log = self._open_log()
        validation = Validation(self.source, train.valid_examples)
        names = [type(optimizer).__name__ for optimizer in self.optimizers]
        logger.info(
            "%s parameters on %s, %d process(es), %s, %s",
            f"{self.size:,}",
            self.device,
            self.processes.size,
            self.processes.strategy,
            names,
        )
        place = StreamPosition.at(self.progress.row)
        with (
            telling_of_lost_processes(self.processes, self.checkpoints.newest),
            contextlib.closing(self._log) if self._log else contextlib.nullcontext(),
            StopSignal() as stop_signal,
            RowStream(self.source, place, train.workers, self.processes) as rows,
            ProgressLine(self.processes.is_main, self.recipe.name) as line,
        ):
            number = self._loop(rows, validation, max_steps, stop_signal, line)
            if number:
                raise TrainingStopped(number, self.progress.step, self.save())
            self._validate(validation)
            self.save()

    def check_finished(self) -> None:
        """Raises TrainingStopped if some of the budget is left."""
        if self.progress.share(self.recipe.train) < 1:
            raise TrainingStopped(0, self.progress.step, self.checkpoints.newest())

    def step(self, rows: PackedRows, seconds: float = 0.0, heard: int = 0) -> StepResult:
        """Takes one step of the optimizers, the same on every process.

        Args:
            rows: rows of all processes together.
            seconds: seconds since the last step; the main process's count.
            heard: number of the signal that this process has received, or 0.
        """
        recipe = self.recipe
        factor = rate_factor(self.progress.share(recipe.train), recipe.optimizer)
        set_learning_rate(self.optimizers, recipe.optimizer.learning_rate * factor)
        share = self.gradients.compute(rows)
        norm = torch.nn.utils.clip_grad_norm_(self.weights, recipe.optimizer.clip)
        if isinstance(norm, DTensor):
            norm = norm.full_tensor()
        clock = seconds if self.processes.is_main else 0.0
        loss, seconds, signals = self.processes.sum([float(share), clock, float(heard)])
        try:
            reason = self.step_filter.reason_to_skip(loss, float(norm))
            if reason is None:
                for optimizer in self.optimizers:
                    optimizer.step()
        finally:
            for weight in self.weights:
                weight.grad = None
        # Two processes may have heard different signals; SIGTERM is the more polite end.
        heard = heard or (signal.SIGTERM if signals else 0)
        return StepResult(loss, float(norm), seconds, heard, reason)

    def save(self, name: str | None = None) -> Path:
        """Writes a checkpoint."""
        self.progress.step_filter = self.step_filter.state()
        return self.checkpoints.save(self.tensors, self.progress, self.identity, name)

    def _loop(
        self,
        rows: RowStream,
        validation: Validation,
        max_steps: int | None,
        stop_signal: StopSignal,
        line: ProgressLine,
    ) -> int:
        """Trains until the budget is used; returns the number of the signal that ended it, or 0."""
        recipe, train, progress = self.recipe, self.recipe.train, self.progress
        report = self._report(line)
        valid = Due(train.valid_seconds, train.valid_steps, progress)
        saving = Due(train.save_seconds, train.save_steps, progress)
        decay = recipe.optimizer.decay if recipe.optimizer.schedule == "wsd" else 0.0
        decaying = progress.share(train) >= 1 - decay
        first_step, last = progress.step, time.monotonic()
        while progress.share(train) < 1:
            if max_steps is not None and progress.step - first_step >= max_steps:
                return 0
            taken = rows.take(train.rows_per_step)
            now = time.monotonic()
            result = self.step(taken, now - last, stop_signal.number)
            last = now
            progress.step += 1
            progress.tokens += sum(map(sum, taken.lengths))
            progress.seconds += result.seconds
            progress.row = rows.place.number
            if report:
                skipped = self.step_filter.skipped
                report.step(progress, result, rows, current_rate(self.optimizers), skipped)
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

    def _report(self, line: ProgressLine) -> StepReporter | None:
        if self._log is None:
            return None
        self._log.quiet = line.visible
        peak = peak_of(self.device, self.dtype)
        peak = peak._replace(flops=peak.flops * self.processes.size)
        logger.info("peak of all processes: %.3g TFLOP/s (%s)", peak.flops / 1e12, peak.source)
        return StepReporter(self.recipe, self.network.shape, peak, self._log, line, self.progress)


def prepare_layers(network: TrainingNetwork, recipe: TrainRecipe) -> None:
    """Sets up activation checkpointing and torch.compile, layer by layer."""
    for layer in network.gpt_neox.layers:
        assert isinstance(layer, Layer)
        layer.recompute = recipe.recompute
        if recipe.compile_layers:
            layer.compile(dynamic=False)
