"""Measures how much of a training step is arithmetic, and whether a change made it faster.

    python -m benchmarks.training_speed RECIPE... [--against CHECKOUT] [--threads 1] [--rounds 5]

Steps of a recipe's network, optimizer included, on rows of random ids whose lengths are those of
its windows.  The share of the peak is of the processor's time, which other work on the machine
lengthens less than that of the clock; with one thread none of it is spent waiting.  With
`--against` the code of another checkout does the same steps in turn, each round in a process of its
own, and the first losses of both stand beside each other; a recipe that it does not have is left
out there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

from attrs import evolve

_ROOT = Path(__file__).parents[1]
_STEPS = 3


def measure(recipe_name: str, threads: int) -> dict[str, object]:
    """Returns tokens per second of processor time, of one warm process."""
    import torch

    from model_runtime.training.gradients import Gradients
    from model_runtime.training.network import TrainingNetwork, flops_per_token
    from model_runtime.training.optimizers import build_optimizers
    from model_runtime.training.packing import pack
    from model_runtime.training.parallel import Processes
    from model_runtime.training.recipe import read_recipe
    from model_runtime.training.recipe_files import find_recipe
    from model_runtime.training.shape import shape_of

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    recipe = read_recipe(find_recipe(recipe_name))
    shape = shape_of(recipe, recipe.tokenizer.vocabulary)
    network = TrainingNetwork(shape)
    gradients = Gradients(
        network,
        evolve(recipe.train, threads=threads),
        recipe.data.attention_within == "row",
        torch.device("cpu"),
        Processes(),
    )
    optimizers = build_optimizers(network, recipe.optimizer)
    rng, (low, high) = random.Random(0), recipe.data.window_tokens
    count = recipe.train.rows_per_step
    lengths = [
        round(low * (high / low) ** rng.random()) for _ in range(count * shape.context // low)
    ]
    sequences = [[rng.randrange(8, shape.vocabulary) for _ in range(n)] for n in lengths]
    rows = pack(sequences, shape.context, 0, rng).take(0, count)
    tokens = sum(map(sum, rows.lengths))
    seconds, clock, losses = [], [], []
    for _ in range(1 + _STEPS):
        started, began = time.process_time(), time.perf_counter()
        losses.append(float(gradients.compute(rows)))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        seconds.append(time.process_time() - started)
        clock.append(time.perf_counter() - began)
    speed = tokens / statistics.median(seconds[1:])
    mean = sum(n * n for row in rows.lengths for n in row) / tokens / 2  # keys of a query
    return {
        "tokens_per_cpu_second": speed,
        "tokens_per_second": tokens / statistics.median(clock[1:]),
        "gflops": speed * flops_per_token(shape, mean) / 1e9,
        "peak_gflops": _peak(),
        "losses": [round(loss, 3) for loss in losses],
    }


def _peak() -> float:
    """Returns operations per second of square bfloat16 products, by processor time."""
    import torch

    side, best = 1024, float("inf")
    a = torch.ones(side, side, dtype=torch.bfloat16)
    for _ in range(12):
        started = time.process_time()
        a @ a
        best = min(best, time.process_time() - started)
    return 2 * side**3 / best / 1e9


def in_checkout(checkout: Path, recipe: str, threads: int) -> dict[str, object]:
    """Measures in another process, with the code of a checkout."""
    done = subprocess.run(
        [sys.executable, __file__, recipe, "--threads", str(threads), "--once"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def summary(rounds: list[dict[str, object]]) -> dict[str, object]:
    """Returns medians of the rounds, and the share of the peak."""
    from benchmarks import record

    names = ("tokens_per_cpu_second", "tokens_per_second")
    speeds = {name: record.spread([float(str(each[name])) for each in rounds]) for name in names}
    shares = [float(str(each["gflops"])) / float(str(each["peak_gflops"])) for each in rounds]
    return {
        **speeds,
        "share_of_peak": record.spread(shares),
        "losses": rounds[0]["losses"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", nargs="+", metavar="RECIPE")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="of the code before")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--once", action="store_true", help="one round of this code, as JSON")
    given = parser.parse_args()
    if given.once:
        print(json.dumps(measure(given.recipes[0], given.threads)))
        return
    checkouts = {"now": _ROOT, **({"before": given.against.resolve()} if given.against else {})}
    figures = {recipe: compare(recipe, checkouts, given) for recipe in given.recipes}
    from benchmarks import record

    command = f"python -m benchmarks.training_speed {' '.join(given.recipes)}"
    record.write(
        "training_speed",
        {"threads": given.threads, **figures, "goal": "share_of_peak >= 0.6"},
        command + (" --against CHECKOUT" if given.against else ""),
    )


def compare(
    recipe: str, checkouts: dict[str, Path], given: argparse.Namespace
) -> dict[str, dict[str, object]]:
    """Returns figures of a recipe in each checkout that has it, measured in turn."""
    file = Path("model_runtime") / "recipes" / f"{recipe}.toml"
    having = {name: folder for name, folder in checkouts.items() if (folder / file).exists()}
    rounds: dict[str, list[dict[str, object]]] = {name: [] for name in having}
    for number in range(given.rounds):
        for name, folder in having.items():
            rounds[name].append(in_checkout(folder, recipe, given.threads))
            print(recipe, number, name, rounds[name][-1], flush=True)
    return {name: summary(found) for name, found in rounds.items()}


if __name__ == "__main__":
    main()
