"""Measures how fast the pipeline trains, and whether making rows could ever be the limit.

    python -m benchmarks.training [--device cuda] [--run OUT]

The loader (reading, cutting holes, tokenizing, packing; one core, no workers) and steps of the
default recipe's network are timed in turn.  Text is the standard library of this Python, or the
corpus and tokenizer of a finished run.  On an accelerator the 1.3B shape is measured as well, on
rows of random ids, each network compiled as its recipe says.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sysconfig
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from attrs import evolve

from benchmarks import record
from model_runtime.training import pipeline
from model_runtime.training.gradients import Gradients
from model_runtime.training.network import TrainingNetwork, flops_per_token
from model_runtime.training.optimizers import build_optimizers
from model_runtime.training.packing import PackedRows
from model_runtime.training.parallel import Processes
from model_runtime.training.recipe import Recipe, read_recipe
from model_runtime.training.recipe_files import find_recipe
from model_runtime.training.shape import shape_of
from model_runtime.training.throughput import peak_of
from model_runtime.training.train import Trainer, prepare_layers

_ROUNDS = 5
_CORPUS = """extends = "default"
[corpus]
valid_share = 0.05
[tokenizer]
sample_mb = 10.0
"""


def prepare(out: Path) -> None:
    """Makes corpus and tokenizer of the standard library."""
    recipe = out / "default-of-stdlib.toml"
    (out / "default.toml").write_text(find_recipe("default").read_text("utf-8"), "utf-8")
    recipe.write_text(_CORPUS, "utf-8")
    for stage in ("corpus", "tokenizer"):
        pipeline.run(recipe, out, stage, roots=[Path(sysconfig.get_paths()["stdlib"])])


def on_processor(recipe: Recipe, out: Path) -> dict[str, object]:
    """Returns seconds per token of the loader and of the step, interleaved."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core
    train = evolve(recipe.train, compile_layers=False, rows_per_step=2, rows_at_once=2, workers=0)
    trainer = Trainer(
        evolve(recipe, train=train),
        out / "corpus",
        out / "tokenizer" / "tokenizer.json",
        out / "benchmark",
    )
    blocks = evolve(trainer.source, block_mb=1.0).open()
    blocks.make(0)
    loader, steps = [], []
    for number in range(1, _ROUNDS + 1):
        started = time.perf_counter()
        rows = blocks.make(number).rows
        loader.append((time.perf_counter() - started) / tokens_in(rows))
        started = time.perf_counter()
        trainer.step(rows.take(0, 2))
        steps.append((time.perf_counter() - started) / tokens_in(rows.take(0, 2)))
    flops = flops_per_token(trainer.network.shape, recipe.network.context)
    peak = peak_of(trainer.device, trainer.dtype)
    speed = 1 / statistics.median(steps)
    return {
        "network": f"{trainer.size:,} parameters",
        "threads": torch.get_num_threads(),
        "loader_tokens_per_second_and_core": record.spread([1 / each for each in loader]),
        "step_tokens_per_second": record.spread([1 / each for each in steps]),
        "loader_share_of_step": round(statistics.median(loader) / statistics.median(steps), 4),
        "peak_gflops": round(peak.flops / 1e9, 1),
        "peak_source": peak.source,
        "mfu": round(speed * flops / peak.flops, 3),
        "goal": "loader_share_of_step <= 0.05",
    }


def on_accelerator(name: str, device: torch.device, rows_at_once: int) -> dict[str, object]:
    """Returns the MFU of a recipe's network, whole rows of random ids, optimizer included."""
    recipe = read_recipe(find_recipe(name))
    train = evolve(recipe.train, rows_at_once=rows_at_once)
    shape = shape_of(recipe, recipe.tokenizer.vocabulary)
    network = TrainingNetwork(shape).to(device)
    prepare_layers(network, train)
    gradients = Gradients(network, train, True, device, Processes())
    optimizers = build_optimizers(network, recipe.optimizer)
    ids = np.random.default_rng(0).integers(8, 16_000, (4 * rows_at_once, shape.context))
    rows = PackedRows(ids.astype(np.int32), [[shape.context]] * len(ids))

    def step() -> float:
        started = time.perf_counter()
        loss = gradients.compute(rows)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        float(loss)
        torch.cuda.synchronize(device)
        return time.perf_counter() - started

    for _ in range(3):  # compiling, warming up
        step()
    speeds = [tokens_in(rows) / step() for _ in range(10)]
    peak = peak_of(device, torch.bfloat16)
    flops = flops_per_token(shape, shape.context)
    return {
        "device": torch.cuda.get_device_name(device),
        "tokens_per_second": record.spread(speeds),
        "mfu": round(statistics.median(speeds) * flops / peak.flops, 3),
        "peak_source": peak.source,
        "memory_gib": round(torch.cuda.max_memory_allocated(device) / 2**30, 1),
    }


def tokens_in(rows: PackedRows) -> int:
    return sum(map(sum, rows.lengths))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="as torch names it")
    parser.add_argument("--run", type=Path, help="folder of a run, with corpus and tokenizer")
    given = parser.parse_args()
    device = torch.device(given.device)
    figures: dict[str, object]
    if device.type == "cuda":
        figures = {
            name: on_accelerator(name, device, rows)
            for name, rows in (("default", 64), ("fim-neox-1.3b", 8))
        }
        figures["goal"] = "MFU >= 0.30 (default), >= 0.45 (1.3B) on one H100"
    else:
        with tempfile.TemporaryDirectory() as folder:
            out = given.run or Path(folder)
            if given.run is None:
                prepare(out)
            figures = on_processor(read_recipe(find_recipe("default")), out)
    for name, value in figures.items():
        print(f"{name}: {value}")
    record.write(
        f"training_{device.type}", figures, f"python -m benchmarks.training --device {device}"
    )


if __name__ == "__main__":
    main()
