"""Lets one server work through a day of typing, and looks for what grows, slows down or complains.

    python -m benchmarks.soak [--requests 100000] [--switch-every 10000] [--minutes M] [--seed 0]

The session is that of benchmarks/typing_session.py.  Every 10,000 requests the setting `model`
changes between the embedded model and an added one with the same weights.  Memory, descriptors and
threads are those of the process, 100 times in a run.  Milliseconds contain what else the machine
does, and are shown; the processor's are the server's own, and judged: the least of the last three
tenths beside the least of the first three.  With --minutes a run ends early.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import record
from benchmarks.editor import Editor
from benchmarks.typing_session import TypingSession
from model_runtime.store import installed

_PARTS, _SAMPLES = 10, 100
_SECOND = "second"
_CPU = "cpu_ms_per_request"
_SETTINGS = {"engine": "onnx", "threads": 1, "debounceMs": 0, "model": "default"}
_GROWTH, _SLOWER = 0.05, 0.10
"""Shares of memory and of processor time a request that a run may gain."""
_COMPLAINTS = (" WARNING ", " ERROR ", " CRITICAL ")


@dataclass
class Sample:
    """Holds what the system says of the process."""

    requests: int
    resident_mb: float
    descriptors: int
    threads: int


class Soak:
    """One run."""

    def __init__(self, editor: Editor, seed: int) -> None:
        self._editor = editor
        self.session = TypingSession(editor, seed)
        self.answers_ms: list[float] = []
        self.cpu_seconds: list[float] = []
        """Processor time of the server after each sample's requests."""
        self.samples: list[Sample] = []
        self.switches = 0

    def work(self, requests: int, switch_every: int, seconds: float) -> None:
        """Makes requests; fewer where the time is over before."""
        ends = time.monotonic() + seconds
        answers = self.session.answers_ms()
        every = max(1, requests // _SAMPLES)
        for number in track(range(requests), description=f"{requests} requests"):
            if number % every == 0:
                self._look()
                if time.monotonic() > ends:
                    break
            # A switch has a thread for a second more, so nobody looks between it and a request.
            if number and number % switch_every == 0:
                self._switch()
            self.answers_ms.append(next(answers))
        self._look()

    def _look(self) -> None:
        process = self._editor.process.pid
        descriptors = len(os.listdir(f"/proc/{process}/fd"))
        threads = len(os.listdir(f"/proc/{process}/task"))
        memory = round(self._editor.memory_mb("VmRSS"), 1)
        self.samples.append(Sample(len(self.answers_ms), memory, descriptors, threads))
        self.cpu_seconds.append(self._editor.cpu_seconds())

    def _switch(self) -> None:
        self.switches += 1
        model = _SECOND if self.switches % 2 else "default"
        settings = {"settings": {"fimLsp": {**_SETTINGS, "model": model}}}
        self._editor.notify("workspace/didChangeConfiguration", settings)
        self._editor.wait_for_status(
            lambda status: status["state"] == "ready" and status["model"] == self._shown_as(model)
        )
        for _ in range(3):  # what the old engine held is given back meanwhile
            self._editor.request("fimLsp/explain", {"limit": 1})

    def _shown_as(self, model: str) -> str:
        """Returns the name under which the status shows a model."""
        return _SECOND if model == _SECOND else installed.find(model).manifest.name


def figures(soak: Soak, complaints: list[str], seconds: float) -> dict[str, Any]:
    """Returns what is recorded of a run."""
    samples, session = soak.samples, soak.session
    at_second_fifth = _memory(samples, 2 / 5)
    at_end = _memory(samples, 1)
    parts = [_part(soak, number) for number in range(_PARTS)]
    # Other work only adds to processor time, by the caches that it shares: the least is the best.
    at_first, at_last = (min(p[_CPU] for p in some) for some in (parts[:3], parts[-3:]))
    settled = samples[len(samples) * 2 // 5 :]
    descriptors = sorted({sample.descriptors for sample in settled})
    threads = sorted({sample.threads for sample in settled})
    return {
        "requests": len(soak.answers_ms),
        "answered": len(soak.answers_ms),
        "suggestions": session.suggestions,
        "edits": session.edits,
        "jumps": session.jumps,
        "accepted": session.accepted,
        "model_switches": soak.switches,
        "seconds": round(seconds),
        "resident_mb_after_two_fifths": at_second_fifth,
        "resident_mb_at_the_end": at_end,
        "growth": round(at_end / at_second_fifth - 1, 4),
        "processor_time_growth": round(at_last / at_first - 1, 4),
        "descriptors": descriptors,
        "threads": threads,
        "log_complaints": complaints,
        "parts": parts,
        "goals_met": {
            "memory <= +5 %": at_end <= at_second_fifth * (1 + _GROWTH),
            "descriptors constant": len(descriptors) == 1,
            "threads constant": len(threads) == 1,
            "processor time within 10 %": at_last <= at_first * (1 + _SLOWER),
            "no warning in the log": not complaints,
        },
        "samples": [asdict(sample) for sample in samples],
    }


def _memory(samples: list[Sample], until: float) -> float:
    """Returns the median of the tenth of the samples that ends at a share of the run."""
    end = round(len(samples) * until)
    begin = end - max(1, len(samples) // 10)
    return round(statistics.median(s.resident_mb for s in samples[begin:end]), 1)


def _part(soak: Soak, number: int) -> dict[str, float]:
    answers, cpu = soak.answers_ms, soak.cpu_seconds
    begin, end = (len(answers) * n // _PARTS for n in (number, number + 1))
    first, last = ((len(cpu) - 1) * n // _PARTS for n in (number, number + 1))
    between = soak.samples[last].requests - soak.samples[first].requests
    cuts = statistics.quantiles(answers[begin:end], n=20)
    return {
        "p50_ms": round(statistics.median(answers[begin:end]), 2),
        "p95_ms": round(cuts[-1], 2),
        _CPU: round((cpu[last] - cpu[first]) * 1e3 / max(1, between), 3),
        "resident_mb": soak.samples[last].resident_mb,
    }


def _table(result: dict[str, Any]) -> Table:
    table = Table(title=f"{result['requests']} requests, {result['model_switches']} model switches")
    for name in ("tenth", "p50 ms", "p95 ms", "processor ms a request", "memory MB"):
        table.add_column(name, justify="right")
    for number, part in enumerate(result["parts"], 1):
        values = (part["p50_ms"], part["p95_ms"], part[_CPU], part["resident_mb"])
        table.add_row(str(number), *(f"{value:.1f}" for value in values))
    for goal, is_met in result["goals_met"].items():
        table.add_row("", "", "", goal, "yes" if is_met else "NO")
    return table


def run(requests: int, switch_every: int, minutes: float, seed: int) -> dict[str, Any]:
    """Returns the figures of a run in folders of its own."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        kinds = ("DATA", "CACHE", "STATE", "CONFIG")
        environment = {f"XDG_{kind}_HOME": str(home / kind) for kind in kinds}
        add = [sys.executable, "-m", "model_runtime", "models", "add", "--name", _SECOND]
        source = str(installed.find("default").path)
        subprocess.run([*add, source], env={**os.environ, **environment}, check=True)
        log = home / "server.log"
        options = ("--log-level", "warning", "--log-file", str(log))
        begun = time.perf_counter()
        with Editor(_SETTINGS, options, environment) as editor:
            editor.wait_until_ready()
            soak = Soak(editor, seed)
            soak.work(requests, switch_every, minutes * 60)
        logs = sorted(home.glob("server.log*"))
        lines = [line for path in logs for line in path.read_text("utf-8").splitlines()]
        complaints = [line for line in lines if any(word in line for word in _COMPLAINTS)]
        return figures(soak, complaints, time.perf_counter() - begun)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--switch-every", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    result = run(args.requests, args.switch_every, args.minutes, args.seed)
    Console().print(_table(result))
    record.write("soak", result, "python -m benchmarks.soak " + " ".join(sys.argv[1:]))
    return 0 if all(result["goals_met"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
