"""Starts real runs of the train stage, with a recipe, a corpus and real processes."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

RECIPE = """
[network]
layers = 2
width = 32
heads = 2
context = 128
[data]
window_tokens = [20, 90]
windows_per_document = 3
attention_within = "example"
[optimizer]
learning_rate = 1e-2
[train]
budget_steps = {steps}
rows_per_step = 4
rows_at_once = 1
loss_chunk = 64
dtype = "float32"
workers = 0
threads = 1
block_mb = 0.02
valid_examples = 8
log_steps = 1
save_steps = {save_steps}
[parallel]
strategy = "{strategy}"
"""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


class TrainingRun:
    """One folder in which the train stage can be started again and again."""

    def __init__(
        self,
        folder: Path,
        corpus: Path,
        tokenizer: Path,
        *,
        strategy: str = "auto",
        steps: int = 8,
        save_steps: int = 0,
        more: str = "",
    ) -> None:
        self.out, self.recipe = folder / "out", folder / "recipe.toml"
        self.out.mkdir(parents=True)
        (self.out / "corpus").symlink_to(corpus)
        (self.out / "tokenizer").symlink_to(tokenizer.parent)
        (self.out / "selection").mkdir()
        (self.out / "selection" / "manifest.json").write_text("{}")
        text = RECIPE.format(steps=steps, save_steps=save_steps, strategy=strategy)
        self.recipe.write_text(more + text)
        self.train = self.out / "train"

    def set_strategy(self, strategy: str) -> None:
        """Sets the strategy of the starts to come."""
        text = self.recipe.read_text()
        self.recipe.write_text(re.sub("strategy = .*", f'strategy = "{strategy}"', text))

    def command(
        self, processes: int = 1, restarts: int = 0, arguments: Sequence[str] = ()
    ) -> list[str]:
        """Returns the command of the train stage, under torchrun if there are several processes."""
        stage = ["-m", "model_runtime.training", str(self.recipe), "--out", str(self.out)]
        stage += ["--stage", "train", *arguments]
        if processes == 1:
            return [sys.executable, *stage]
        return [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(processes), "--max-restarts", str(restarts)),
            *stage,
        ]

    def start(
        self, processes: int = 1, restarts: int = 0, arguments: Sequence[str] = ()
    ) -> "subprocess.Popen[str]":
        """Starts the stage without waiting for its end; output and errors come together."""
        return subprocess.Popen(
            self.command(processes, restarts, arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **ONE_THREAD},
        )

    def finish(self, processes: int = 1, arguments: Sequence[str] = ()) -> str:
        """Runs the stage to its end; returns what it said."""
        process = self.start(processes, arguments=arguments)
        output, _ = process.communicate()
        assert process.returncode == 0, output
        return output

    def wait_for_step(self, step: int, process: "subprocess.Popen[str]") -> None:
        """Waits until a running process has logged this step."""
        log = self.train / "training_log.jsonl"
        while not log.exists() or len(self.curve()) < step:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)

    def curve(self, figure: str = "loss") -> list[float]:
        """Returns a figure of every step."""
        text = (self.train / "training_log.jsonl").read_text()
        lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [entry[figure] for entry in map(json.loads, lines) if "event" not in entry]


def worker(torchrun: int, rank: int) -> int:
    """Returns the process of a rank, by the environment that torchrun gave it."""
    children = Path(f"/proc/{torchrun}/task/{torchrun}/children").read_text().split()
    for child in children:
        if f"\0RANK={rank}\0".encode() in Path(f"/proc/{child}/environ").read_bytes():
            return int(child)
    raise LookupError(f"no process has rank {rank}")
