"""Reports on a run: into the log every so often, on the progress line at every step."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from model_runtime.training.batches import RowStream
from model_runtime.training.checkpoint import RunProgress
from model_runtime.training.display import ProgressLine, duration
from model_runtime.training.metrics import MetricsLog
from model_runtime.training.network import Shape, flops_per_token
from model_runtime.training.recipe import Recipe
from model_runtime.training.schedule import Due
from model_runtime.training.throughput import Peak


@dataclass(frozen=True)
class StepResult:
    """Facts that all processes know after a step."""

    loss: float
    """Mean loss in nats per token."""
    norm: float
    """Norm of the gradient, before clipping."""
    seconds: float
    """Seconds since the step before."""
    heard: int
    """Number of a signal that some process received, or 0."""
    skipped: str | None
    """Reason why the weights did not move, or None."""


class StepReporter:
    """Writes the figures of every step, on the main process."""

    def __init__(
        self,
        recipe: Recipe,
        shape: Shape,
        peak: Peak,
        log: MetricsLog,
        line: ProgressLine,
        progress: RunProgress,
    ) -> None:
        self.recipe, self.peak, self.log, self.line = recipe, peak, log, line
        per_row = recipe.data.attention_within == "row"
        length = recipe.network.context if per_row else sum(recipe.data.window_tokens) / 2
        self._flops = flops_per_token(shape, length)
        self._due = Due(recipe.train.log_seconds, recipe.train.log_steps, progress)
        self._began, self._began_share = time.monotonic(), progress.share(recipe.train)
        self._first = True
        self._resume(progress, 0.0)

    def step(
        self, progress: RunProgress, result: StepResult, rows: RowStream, rate: float, skipped: int
    ) -> None:
        """Reports on a step."""
        if result.skipped:
            self.log.write(
                event="skipped a step",
                step=progress.step,
                reason=result.skipped,
                loss=result.loss,
                norm=result.norm,
            )
        now = time.monotonic()
        passed = max(1e-9, now - self._since)
        speed = (progress.tokens - self._tokens) / passed
        share = progress.share(self.recipe.train)
        mfu = speed * self._flops / self.peak.flops
        bits = result.loss / math.log(2) / rows.bytes_per_token
        done = max(1e-9, share - self._began_share)
        left = (now - self._began) * max(0.0, 1 - share) / done
        self.line.show(
            share,
            f"step {progress.step}  {bits:.3f} bits/byte  {speed:,.0f} tokens/s  MFU {mfu:.0%}  "
            f"{duration(left)} left",
        )
        if self._due.now(progress) or self._first:
            self._first = False
            self.log.write(
                step=progress.step,
                tokens=progress.tokens,
                seconds=round(progress.seconds, 1),
                share=share,
                loss=result.loss,
                bits_per_byte=bits,
                learning_rate=rate,
                tokens_per_second=round(speed),
                gflops=speed * self._flops / 1e9,
                mfu=mfu,
                waiting=(rows.waited - self._waited) / passed,
                norm=result.norm,
                skipped=skipped,
                too_long=rows.too_long,
                row=progress.row,
            )
            self._resume(progress, rows.waited)

    def pause(self, progress: RunProgress, rows: RowStream) -> None:
        """Leaves what has just been done, such as validation, out of the measured speed."""
        self._resume(progress, rows.waited)

    def _resume(self, progress: RunProgress, waited: float) -> None:
        self._since, self._tokens, self._waited = time.monotonic(), progress.tokens, waited
