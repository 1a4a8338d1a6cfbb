"""Sections of a recipe about training: optimizer, budget, and the processes that share a run."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from model_runtime.training.recipe.settings import at_least, setting, share


@frozen
class OptimizerRecipe:
    """Settings of the optimizer and of its schedule."""

    name: Literal["muon", "adamw"] = "muon"
    learning_rate: float = setting(2e-3, at_least(0))
    weight_decay: float = setting(0.1, at_least(0))
    beta1: float = setting(0.9, share(below_one=True))
    beta2: float = setting(0.95, share(below_one=True))
    clip: float = setting(1.0, at_least(0))
    """Largest norm of the gradient."""
    schedule: Literal["wsd", "cosine"] = "wsd"
    """`wsd`: warmup, stable, decay.  `cosine`: half a cosine from the warmup to the end."""
    warmup: float = setting(0.02, at_least(0))
    """Share of the run in which the rate rises."""
    decay: float = setting(0.35, at_least(0))
    """Share of the run, at its end, in which the rate falls; `wsd` only."""
    min_rate: float = setting(0.0, share(below_one=True))
    """Rate at the end, as a share of `learning_rate`."""


@frozen
class TrainRecipe:
    """Settings of a run: how long, how much at once, and what is written down."""

    budget_seconds: float = setting(0.0, at_least(0))
    """Seconds after which the schedule ends, all starts together; one budget must be given."""
    budget_tokens: int = setting(0, at_least(0))
    """Tokens after which the schedule ends."""
    budget_steps: int = setting(0, at_least(0))
    """Steps after which the schedule ends."""
    rows_per_step: int = setting(256, at_least(1))
    """Rows of a step, of all processes together."""
    rows_at_once: int = setting(64, at_least(1))
    """Rows of a micro-batch of one process; changes memory and speed only."""
    loss_chunk: int = setting(16_384, at_least(1))
    """Tokens whose logits exist at the same time."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    compile_layers: bool = False
    recompute: bool = False
    """Whether activations are checkpointed: kept where a layer begins, and else computed twice."""
    threads: int = setting(0, at_least(0))
    """Threads of all processes of a machine together; 0 leaves the choice to torch."""
    workers: int = setting(1, at_least(0))
    """Processes that make rows, for each training process; does not change the rows."""
    block_mb: float = 1.0
    """Megabytes of text that is shuffled and packed together."""
    seed: int = 0
    spike_sigmas: float = setting(0.0, at_least(0))
    """A step is skipped if its loss or its gradient lies so many standard deviations above those
    of the last 128 steps; 0 skips only what is not finite."""
    max_skipped_steps: int = setting(20, at_least(1))
    """Number of skipped steps in a row that ends the run."""
    log_seconds: float = 10.0
    log_steps: int = setting(0, at_least(0))
    """Steps after which there is a report, too; likewise below.  0: by the clock only."""
    valid_seconds: float = 300.0
    valid_steps: int = setting(0, at_least(0))
    valid_examples: int = 512
    save_seconds: float = 180.0
    save_steps: int = setting(0, at_least(0))
    keep: int = setting(2, at_least(1))
    """Number of newest checkpoints that are kept."""
    tensorboard: bool = False
    """Whether the log is written for TensorBoard as well."""


@frozen
class ParallelRecipe:
    """Settings of several processes that share one run; they are started by torchrun."""

    strategy: Literal["auto", "none", "ddp", "fsdp2"] = "auto"
    """`ddp`: every process has the whole network.  `fsdp2`: each has a share of weights and
    optimizer state.  `auto`: `ddp` where there are several.  A single process needs none."""
    timeout_minutes: float = 30.0
    """Minutes after which a silent process ends the run."""
