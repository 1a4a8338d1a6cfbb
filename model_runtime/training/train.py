"""The training loop: one network, one device, resumable at every save."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from model_runtime.fim_format import FimTokens
from model_runtime.tokenizer import FimTokenizer
from model_runtime.training.batches import START, Place, RowStream, Source
from model_runtime.training.checkpoint import Checkpoint
from model_runtime.training.documents import unpack
from model_runtime.training.gradients import Gradients
from model_runtime.training.metrics import MetricsLog
from model_runtime.training.network import Network, flops_per_token
from model_runtime.training.optimisers import build_optimisers, set_learning_rate
from model_runtime.training.packing import Rows
from model_runtime.training.recipe import Recipe
from model_runtime.training.schedule import rate_factor
from model_runtime.training.shape import shape_of
from model_runtime.training.special_tokens import tokens_of
from model_runtime.training.validation import Validation

logger = logging.getLogger(__name__)
MOST_BAD_STEPS = 20


class TrainingDiverged(RuntimeError):
    """Many steps in a row were not finite; the last saved state is good."""


def fingerprint(recipe: Recipe) -> str:
    """Hash of all that must stay the same within a run; budgets and speeds may change."""
    fixed = (
        asdict(recipe.network),
        asdict(recipe.data),
        asdict(recipe.selection),
        recipe.optimiser.name,
        recipe.train.seed,
    )
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class Progress:
    """What a checkpoint counts."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    place: Place = START

    def share(self, recipe: Recipe) -> float:
        """Of the budget, 0 to 1 and beyond."""
        if recipe.train.budget_seconds:
            return self.seconds / recipe.train.budget_seconds
        return self.tokens / recipe.train.budget_tokens


class Trainer:
    """A network in training."""

    def __init__(
        self, recipe: Recipe, corpus: Path, tokenizer: Path, state: Path, device: str = "cpu"
    ) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.recipe, self.state, self.device = recipe, state, torch.device(device)
        if recipe.train.threads:
            torch.set_num_threads(recipe.train.threads)
        unpack(corpus, state / "corpus")
        words = FimTokenizer.from_file(tokenizer)
        self.tokens: FimTokens = tokens_of(words)
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
        self.network = Network(shape_of(recipe, words.size)).to(self.device)
        self.gradients = Gradients(self.network, recipe.train, self.per_row, self.device)
        self.optimisers = build_optimisers(self.network, recipe.optimiser)
        self.progress = Progress()
        self.log = MetricsLog(state / "training_log.jsonl")
        if self.path.exists():
            self._restore(Checkpoint.load(self.path, fingerprint(recipe)))
        if recipe.train.compile_layers:
            for layer in self.network.gpt_neox.layers:
                layer.compile(dynamic=False)

    def begin_with(self, checkpoint: Path) -> None:
        """Take over the weights of another run, unless this one has begun already."""
        if self.progress.step == 0:
            self.network.load_state_dict(Checkpoint.load(checkpoint).network)
            logger.info("the weights are those of %s", checkpoint)

    @property
    def path(self) -> Path:
        """Of the newest state."""
        return self.state / "state.pt"

    def run(self, most_steps: int | None = None) -> None:
        """Train to the end of the budget, or for so many steps; then validate and save."""
        train = self.recipe.train
        validation = Validation(self.source, train.valid_examples)
        size = sum(weight.numel() for weight in self.network.parameters())
        names = [type(optimiser).__name__ for optimiser in self.optimisers]
        logger.info("%s parameters on %s, %s", f"{size:,}", self.device, names)
        with RowStream(self.source, self.progress.place, train.workers) as rows:
            self._loop(rows, validation, most_steps)
        self._validate(validation)
        self.save()

    def step(self, rows: Rows) -> tuple[float, float]:
        """One step of the optimisers; loss in nats per token, and the norm before clipping."""
        recipe = self.recipe
        share = self.progress.share(recipe)
        factor = rate_factor(share, recipe.optimiser.warm_up, recipe.optimiser.decay)
        set_learning_rate(self.optimisers, recipe.optimiser.learning_rate * factor)
        total = self.gradients.compute(rows)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.optimiser.clip)
        if math.isfinite(total) and math.isfinite(float(norm)):
            for optimiser in self.optimisers:
                optimiser.step()
        self.network.zero_grad(set_to_none=True)
        return total, float(norm)

    def save(self, path: Path | None = None) -> None:
        """Write the state."""
        progress = self.progress
        Checkpoint(
            recipe=fingerprint(self.recipe),
            step=progress.step,
            tokens=progress.tokens,
            seconds=progress.seconds,
            block=progress.place.block,
            row=progress.place.row,
            network=self.network.state_dict(),
            optimisers=[optimiser.state_dict() for optimiser in self.optimisers],
        ).save(path or self.path)

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.network.load_state_dict(checkpoint.network)
        for optimiser, content in zip(self.optimisers, checkpoint.optimisers, strict=True):
            optimiser.load_state_dict(content)
        place = Place(checkpoint.block, checkpoint.row)
        self.progress = Progress(checkpoint.step, checkpoint.tokens, checkpoint.seconds, place)
        logger.info("going on from step %d", checkpoint.step)

    def _loop(self, rows: RowStream, validation: Validation, most_steps: int | None) -> None:
        recipe, train = self.recipe, self.recipe.train
        last = shown = saved = time.monotonic()
        validated, shown_tokens, bad = self.progress.seconds, self.progress.tokens, 0
        decaying = self.progress.share(recipe) >= 1 - recipe.optimiser.decay
        first_step = self.progress.step
        while self.progress.share(recipe) < 1:
            if most_steps is not None and self.progress.step - first_step >= most_steps:
                return
            taken = rows.take(train.rows_per_step)
            loss, norm = self.step(taken)
            bad = 0 if math.isfinite(loss) and math.isfinite(norm) else bad + 1
            if bad:
                self.log.write(
                    event="skipped a step: not finite", step=self.progress.step, norm=norm
                )
            if bad >= MOST_BAD_STEPS:
                raise TrainingDiverged(
                    f"{bad} steps in a row were not finite; restart with a lower rate"
                )
            now = time.monotonic()
            self.progress = replace(
                self.progress,
                step=self.progress.step + 1,
                tokens=self.progress.tokens + sum(map(sum, taken.lengths)),
                seconds=self.progress.seconds + now - last,
                place=rows.place,
            )
            last = now
            if not decaying and self.progress.share(recipe) >= 1 - recipe.optimiser.decay:
                decaying = True
                self.save(self.state / "before_decay.pt")  # another decay can start here
            if now - shown >= train.log_seconds or self.progress.step == 1:
                speed = (self.progress.tokens - shown_tokens) / (now - shown)
                self._log_step(loss, norm, speed, rows.bytes_per_token)
                shown, shown_tokens = now, self.progress.tokens
            if self.progress.seconds - validated >= train.valid_seconds:
                self._validate(validation)
                validated, shown, shown_tokens = (
                    self.progress.seconds,
                    time.monotonic(),
                    self.progress.tokens,
                )
            if now - saved >= train.save_seconds:
                self.save()
                saved = now

    def _log_step(self, loss: float, norm: float, speed: float, bytes_per_token: float) -> None:
        length = (
            self.recipe.network.context if self.per_row else sum(self.recipe.data.window_tokens) / 2
        )
        self.log.write(
            step=self.progress.step,
            tokens=self.progress.tokens,
            seconds=round(self.progress.seconds, 1),
            share=self.progress.share(self.recipe),
            loss=loss,
            bits_per_byte=loss / math.log(2) / bytes_per_token,
            learning_rate=float(self.optimisers[0].param_groups[0]["lr"]),
            tokens_per_second=round(speed),
            gflops=speed * flops_per_token(self.network.shape, length) / 1e9,
            norm=norm,
            block=self.progress.place.block,
        )

    def _validate(self, validation: Validation) -> None:
        figures = validation.measure(self.network, self.dtype, self.per_row)
        self.log.write(
            event="valid",
            step=self.progress.step,
            tokens=self.progress.tokens,
            seconds=round(self.progress.seconds, 1),
            **figures,
        )
