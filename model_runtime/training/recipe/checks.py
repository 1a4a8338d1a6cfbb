"""Finds settings that have the right type but make no sense, alone or together."""

from __future__ import annotations

from collections.abc import Iterator

from model_runtime.training.recipe.settings import broken_rules
from model_runtime.training.recipe.whole import Recipe

_BUDGETS = ("budget_seconds", "budget_tokens", "budget_steps")


def problems_of(recipe: Recipe) -> Iterator[str]:
    """Yields a sentence for each problem of a recipe."""
    yield from broken_rules(recipe, "")
    yield from _of_executor(recipe)
    yield from _of_network(recipe)
    yield from _of_data(recipe)
    yield from _of_training(recipe)


def _of_executor(recipe: Recipe) -> Iterator[str]:
    missing = [name for name in ("partition", "time") if name not in recipe.executor.slurm]
    if recipe.executor.kind == "slurm" and missing:
        yield f"executor.slurm needs {' and '.join(missing)}"


def _of_network(recipe: Recipe) -> Iterator[str]:
    network = recipe.network
    if network.heads > 0 and network.width % network.heads:
        yield f"network.width {network.width} is not a multiple of heads {network.heads}"
    if network.positions == "alibi" and recipe.data.attention_within == "example":
        yield "data.attention_within must be 'row' where network.positions is 'alibi'"


def _of_data(recipe: Recipe) -> Iterator[str]:
    data = recipe.data
    if data.level == "context":
        for name, only in (("snippet_rate", 0.0), ("windows_per_document", 0)):
            if (value := getattr(data, name)) != only:
                yield (
                    f"data.{name} is {value}; level 'context' reads whole documents and nothing "
                    f"else, so it must be {only}"
                )
    low, high = data.window_tokens
    if not 0 < low <= high <= recipe.network.context:
        yield (
            f"data.window_tokens is [{low}, {high}]; it must rise and fit into network.context, "
            f"{recipe.network.context}"
        )


def _of_training(recipe: Recipe) -> Iterator[str]:
    optimizer, train = recipe.optimizer, recipe.train
    if train.compile_layers and recipe.data.attention_within == "example":
        yield (
            "train.compile_layers needs data.attention_within = 'row'; examples differ in length"
        )
    if optimizer.warmup + (optimizer.decay if optimizer.schedule == "wsd" else 0.0) > 1.0:
        yield (
            f"optimizer.warmup {optimizer.warmup} and decay {optimizer.decay} are shares of one "
            "run; together they may not exceed 1"
        )
    given = [name for name in _BUDGETS if getattr(train, name)]
    if len(given) != 1:
        told = f"{' and '.join(given)} are given" if given else "none is given"
        yield f"train needs one of {', '.join(_BUDGETS)}; {told}"
