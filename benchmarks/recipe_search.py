"""Compares variants of the embedded model's recipe at equal seconds, each run on one core.

    fim-runtime train embedded ... --out RUN --stage corpus    # then tokenizer, and selection
    python -m benchmarks.recipe_search new RUN [--seconds 600] [--only NAME...]
    python -m benchmarks.recipe_search shipped RUN

`new` compares networks and optimizers that begin untrained; `shipped` compares what the shipped
weights should read next, and how fast.  All see the same documents and are measured on the same
held-out ones; rows named `again` differ from the first one by their seed alone.  As many run at a
time as there are cores.  Figures are bits per byte of held-out middles, by `validation.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import record
from model_runtime.store import installed
from model_runtime.store.names import DEFAULT
from model_runtime.training.recipe_files import RECIPES

AGAIN = "[train]\nseed = 1"
ALL_TYPED = "spans = { typed-line = 0.8, syntax = 0.1, character = 0.1 }"
MANY_LINES = "spans = { typed-line = 0.16, line = 0.70, syntax = 0.07, character = 0.07 }"
NEW = {
    "4 x 384": "",
    "again": AGAIN,
    "6 x 384": "[network]\nlayers = 6",
    "8 x 320": "[network]\nlayers = 8\nwidth = 320\nheads = 5",
    "4 x 256": "[network]\nwidth = 256\nheads = 4",
    "head of its own": "[network]\ntied = false",
    "vocabulary of 12,288": '[tokenizer]\nvocabulary = 12288\nfile = ""',
    "AdamW": '[optimizer]\nname = "adamw"',
    "half the rate": "[optimizer]\nlearning_rate = 1.5e-3",
    "twice the rate": "[optimizer]\nlearning_rate = 6e-3",
    "4 rows a step": "[train]\nrows_per_step = 4",
}
"""Maps names to what a new network's recipe says otherwise."""
SHIPPED = {
    "as it was read": "",
    "again": AGAIN,
    "a third of the rate": "[optimizer]\nlearning_rate = 1.67e-4",
    "three times the rate": "[optimizer]\nlearning_rate = 1.5e-3",
    "AdamW": '[optimizer]\nname = "adamw"',
    "16 rows a step": "[train]\nrows_per_step = 16",
    "holes alone": "[data]\nfim_rate = 1.0",
    "half of it without holes": "[data]\nfim_rate = 0.5",
    "typed lines": f"[data]\n{ALL_TYPED}",
    "whole lines": f"[data]\n{MANY_LINES}",
    "a tenth prefix first": "[data]\norders = { spm1 = 0.9, psm = 0.1 }",
}
"""Maps names to what the recipe says otherwise that goes on from the shipped weights."""
RATES = {"new": 3e-3, "shipped": 5e-4}
BASE = """\
extends = "embedded"

[optimizer]
learning_rate = {rate}
warmup = 0.03
decay = 0.9

[train]
budget_tokens = 0
budget_seconds = {seconds}
threads = 1
dtype = "{dtype}"
log_seconds = 30
valid_seconds = 1e9
save_seconds = 1e9
"""


def train(
    begin: str, name: str, text: str, prepared: Path, work: Path, core: int
) -> dict[str, float]:
    """Trains one variant on one core; returns the last figures of its log."""
    recipe = work / "recipes" / f"{begin}-{name.replace(' ', '-')}.toml"
    recipe.write_text(f'extends = "base"\n{text}\n', encoding="utf-8")
    out = work / recipe.stem
    out.mkdir()
    stages = ["train"]
    for stage in ("corpus", "selection", "tokenizer"):
        if stage == "tokenizer" and "[tokenizer]" in text:
            stages.insert(0, stage)
        else:
            (out / stage).symlink_to((prepared / stage).resolve())
    command = ["taskset", "-c", str(core), sys.executable, "-m", "model_runtime.training"]
    command += [str(recipe), "--out", str(out)]
    if begin == "shipped":
        command += ["--initial", str(installed.find(DEFAULT).path)]
    for stage in stages:
        with (out / "log").open("a") as log:
            subprocess.run([*command, "--stage", stage], check=True, stdout=log, stderr=log)
    return last_figures(out / "train" / "training_log.jsonl")


def last_figures(log: Path) -> dict[str, float]:
    """Returns the figures of a finished run, and how fast it learned."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    valid = next(line for line in reversed(lines) if line.get("event") == "valid")
    names = ("step", "tokens", "mid_bpb", "line_bpb", "ltr_bpb", "eod")
    figures = {name: valid[name] for name in names}
    return {**figures, "tokens_per_second": round(valid["tokens"] / valid["seconds"])}


def main() -> None:
    """Runs the variants, prints a line for each as it ends, and records them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("begin", choices=("new", "shipped"), help="with which weights runs begin")
    parser.add_argument("prepared", type=Path, metavar="RUN", help="corpus, tokenizer, selection")
    parser.add_argument("--seconds", type=float, default=600.0, help="of each run")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these variants alone")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    args = parser.parse_args()
    variants = NEW if args.begin == "new" else SHIPPED
    variants = {name: variants[name] for name in args.only or variants}
    figures: dict[str, Any] = {}
    cores = queue.SimpleQueue[int]()
    for core in sorted(os.sched_getaffinity(0)):
        cores.put(core)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copytree(RECIPES, work / "recipes")
        base = BASE.format(rate=RATES[args.begin], seconds=args.seconds, dtype=args.dtype)
        (work / "recipes" / "base.toml").write_text(base, encoding="utf-8")

        def run(name: str) -> None:
            core = cores.get()
            try:
                figures[name] = train(args.begin, name, variants[name], args.prepared, work, core)
            finally:
                cores.put(core)
            print(f"{name:28}", figures[name], flush=True)

        with ThreadPoolExecutor(cores.qsize()) as pool:
            list(pool.map(run, variants))
    figures = {name: figures[name] for name in variants}
    command = f"python -m benchmarks.recipe_search {args.begin} RUN --seconds {args.seconds:g}"
    record.write(f"recipe_search_{args.begin}", {"dtype": args.dtype, "runs": figures}, command)


if __name__ == "__main__":
    main()
