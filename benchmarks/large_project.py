"""Measures whether a project of 100,000 files delays the first suggestion, or costs memory.

    python -m benchmarks.large_project [--runs N]

A server with the embedded model is started by turns in a project of one file and in one of 100,000,
and asked as soon as it is ready; in the large one it is asked on until the index is there.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.context import prefix_of
from benchmarks.editor import Editor
from benchmarks.workspace import make
from model_runtime.store import installed

_TOKENS = 500
_URI = "file:///typed.py"
_PAUSE_SECONDS = 0.25


def started_in(root: Path, num_files: int, prefix: str) -> dict[str, float]:
    """Returns seconds to the first suggestion and to the index, and megabytes."""
    place = {"line": prefix.count("\n"), "character": len(prefix.rpartition("\n")[2])}
    began = time.perf_counter()
    with Editor({"engine": "onnx", "candidates": 1}, root=root) as editor:
        editor.open(_URI, prefix)
        editor.wait_until_ready()
        ready = time.perf_counter()
        editor.complete(_URI, **place, trigger=1)
        found = {"ready_s": ready - began, "first_suggestion_s": time.perf_counter() - began}
        longest = 0.0
        while not any(one.get("indexedFiles") == num_files for _, one in editor.statuses):
            asked = time.perf_counter()
            editor.complete(_URI, **place, trigger=1)
            longest = max(longest, time.perf_counter() - asked)
            time.sleep(_PAUSE_SECONDS)
        found["index_s"] = time.perf_counter() - began
        found["longest_answer_meanwhile_s"] = longest
        found["peak_mb"] = editor.memory_mb()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    runs = parser.parse_args().runs
    prefix = prefix_of(_TOKENS, installed.find(installed.DEFAULT).tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        one, many = Path(folder) / "one", Path(folder) / "many"
        one.mkdir()
        many.mkdir()
        (one / "main.py").write_text("def total(numbers):\n    return sum(numbers)\n")
        make(many)
        samples: dict[str, list[dict[str, float]]] = {"one file": [], "100,000 files": []}
        for number in range(runs + 1):
            for name, root, num_files in (("one file", one, 1), ("100,000 files", many, 100_000)):
                if number:  # the first round fills the caches
                    samples[name].append(started_in(root, num_files, prefix))
                elif name == "one file":
                    started_in(root, num_files, prefix)
    figures: dict[str, Any] = {}
    for name, found in samples.items():
        figures[name] = {key: record.spread([one[key] for one in found]) for key in found[0]}
        print(name, {key: value["median"] for key, value in figures[name].items()}, flush=True)
    record.write("large_project", figures, f"python -m benchmarks.large_project --runs {runs}")


if __name__ == "__main__":
    main()
