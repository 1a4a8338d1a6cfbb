"""Measures the memory of the server over 10,000 requests in documents of six languages.

    python -m benchmarks.memory [--engine onnx] [--requests 10000]

The files of benchmarks/replay_set are opened, visited in another order each time, typed into at
some place, asked for completions after each key and now and then by hand, and closed again.  The
resident memory of the process is read every 50 requests.  Growth is the median of the last fifth
less that of the second one; the first fifth fills the caches.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks import record
from benchmarks.editor import Editor
from benchmarks.picture import picture
from benchmarks.traces import SET
from model_runtime.syntax.languages import language_id

_EVERY = 50
_KEYS = 8
"""Keys at one place."""
_MAX_OPEN = 12
_INVOKED = 40
"""Number of requests of which one asks by hand, for several candidates."""
_LIMIT_MB, _GROWTH_MB = 250, 5


def requests(editor: Editor, seed: int = 0) -> Iterator[None]:
    """Works in an endless session; yields after each answer."""
    chance = random.Random(seed)
    files = [path for path in sorted(SET.glob("*/*.*")) if path.name != "README.md"]
    texts: dict[Path, str] = {}
    version = 1
    while True:
        path = chance.choice(files)
        uri = path.as_uri()
        if path not in texts:
            texts[path] = path.read_text(encoding="utf-8")
            editor.open(uri, texts[path], language_id(path.name))
        text = texts[path]
        place = chance.randrange(len(text))
        for key in text[place : place + _KEYS]:
            text = text[:place] + key + text[place:]
            line, before = text.count("\n", 0, place), text[:place].rpartition("\n")[2]
            version += 1
            editor.type(uri, version, line, len(before), key)
            place += 1
            now = text[:place]
            trigger = 1 if chance.randrange(_INVOKED) == 0 else 2
            editor.complete(uri, now.count("\n"), len(now.rpartition("\n")[2]), trigger)
            yield
        texts[path] = text
        if len(texts) > _MAX_OPEN:
            closed = chance.choice(list(texts))
            del texts[closed]
            editor.notify("textDocument/didClose", {"textDocument": {"uri": closed.as_uri()}})


def curve(engine: str, count: int) -> tuple[list[int], list[float], float]:
    """Returns megabytes by the number of requests, and the seconds that all of it took."""
    at, resident = [], []
    settings: dict[str, Any] = {"engine": engine, "threads": 1, "debounceMs": 0}
    with Editor(settings) as editor:
        editor.wait_until_ready()
        begun = time.perf_counter()
        session = requests(editor)
        for number in track(range(count), description=f"{count} requests"):
            if number % _EVERY == 0:
                at.append(number)
                resident.append(round(editor.memory_mb("VmRSS"), 1))
            next(session)
        return [*at, count], [*resident, round(editor.memory_mb("VmRSS"), 1)], (
            time.perf_counter() - begun
        )  # fmt: skip


def fifth(values: list[float], number: int) -> list[float]:
    """Returns one of five equal parts, from 0."""
    return values[len(values) * number // 5 : len(values) * (number + 1) // 5]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--requests", type=int, default=10_000)
    args = parser.parse_args()
    at, resident, seconds = curve(args.engine, args.requests)
    growth = statistics.median(fifth(resident, 4)) - statistics.median(fifth(resident, 1))
    print(
        f"{args.engine}: {resident[0]:.0f} MB loaded, {max(resident):.0f} MB at the most, growth "
        f"{growth:+.1f} MB from the second to the last fifth of {args.requests} requests "
        f"({seconds:.0f} s)"
    )
    figures = {
        "engine": args.engine,
        "requests": args.requests,
        "seconds": round(seconds),
        "loaded_mb": resident[0],
        "largest_mb": max(resident),
        "growth_mb": round(growth, 2),
        "goals_met": {
            f"<= {_LIMIT_MB} MB resident": max(resident) <= _LIMIT_MB,
            f"growth <= {_GROWTH_MB} MB": growth <= _GROWTH_MB,
        },
        "after_requests": at,
        "resident_mb": resident,
    }
    command = f"python -m benchmarks.memory --engine {args.engine} --requests {args.requests}"
    path = record.write(f"memory_{args.engine}", figures, command)
    with picture(path.with_suffix(".svg")) as (_, (axis,)):
        axis.plot(at, resident, linewidth=1.2)
        axis.axhline(_LIMIT_MB, color="grey", linewidth=0.8)
        axis.set_xlabel("requests")
        axis.set_ylabel("resident memory, MB")
        axis.set_ylim(bottom=0)


if __name__ == "__main__":
    main()
