"""Counts the ids that a model reads for each key, while four documents are written by turns.

    python -m benchmarks.ids_read [--model NAME] [--engine onnx] [--keys 60]

The recorded typing of benchmarks/traces goes through the real server, a few keys of one document
and then of the next, as of someone who goes back and forth.  A request follows each key; of what is
written little is asked for, since only what is read is counted.  `keptTexts` is the server's own
account of the memory in the end.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from rich.progress import track

from benchmarks import record
from benchmarks.editor import Editor
from benchmarks.traces import Trace, traces

_BY_TURNS = 10
"""Keys until another document's turn."""
_KINDS = ("within a line", "new line", "first key of a document", "back in a document")


class Document:
    """One of the documents that are typed into."""

    def __init__(self, editor: Editor, trace: Trace) -> None:
        self._editor, self._trace = editor, trace
        self._uri = trace.path.as_uri()
        self._text, self._version, self._typed = trace.before, 1, 0
        editor.open(self._uri, trace.before + trace.after, trace.language)

    def type(self) -> tuple[str, dict[str, Any]] | None:
        """Types one key and asks; returns what kind of key it was, and the request's trace."""
        if self._typed == len(self._trace.keys):
            return None
        key = self._trace.keys[self._typed].text
        self._version += 1
        self._editor.type(self._uri, self._version, *self._place(), key)
        self._text += key
        self._typed += 1
        self._editor.complete(self._uri, *self._place(), trigger=1)
        (trace,) = self._editor.request("fimLsp/explain", {"limit": 1})["traces"]
        if self._typed == 1:
            return "first key of a document", trace
        return "new line" if "\n" in key else "within a line", trace

    def _place(self) -> tuple[int, int]:
        return self._text.count("\n"), len(self._text.rpartition("\n")[2])


def measure(settings: dict[str, Any], keys: int) -> dict[str, Any]:
    """Returns the ids read by kind of key, and the memory that the server has in the end."""
    read: dict[str, list[int]] = {kind: [] for kind in _KINDS}
    prompts: list[int] = []
    with Editor(settings) as editor:
        editor.wait_until_ready()
        loaded = editor.memory_mb("VmRSS")
        documents = [Document(editor, trace) for trace in traces(keys)]
        for turn in track(range(-(-keys // _BY_TURNS)), description="turns"):
            for document in documents:
                for number in range(_BY_TURNS):
                    if (found := document.type()) is None:
                        continue
                    kind, trace = found
                    if turn and not number:
                        kind = "back in a document"
                    if "readTokens" in trace:
                        read[kind].append(trace["readTokens"])
                        prompts.append(trace["promptTokens"])
        resident = editor.memory_mb("VmRSS")
        kept = editor.statuses[-1][1]["keptTexts"]
    return {
        "prompt ids, median": statistics.median(prompts),
        **{kind: _figures(values) for kind, values in read.items()},
        "keptTexts": kept,
        "resident_mb": {"loaded": round(loaded), "in the end": round(resident)},
    }


def _figures(values: list[int]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "keys": len(ordered),
        "median": statistics.median(ordered),
        "p95": ordered[int(0.95 * len(ordered))],
        "most": ordered[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--keys", type=int, default=60, help="of each document")
    args = parser.parse_args()
    settings = {"model": args.model, "engine": args.engine, "debounceMs": 0, "idleWork": False,
                "candidates": 1, "maxNewTokens": 1, "timeLimitMs": 0}  # fmt: skip
    figures = measure(settings, args.keys)
    for name, value in figures.items():
        print(f"{name}: {value}")
    name = args.model.rstrip("/").rpartition("/")[2]
    command = f"python -m benchmarks.ids_read --model {name} --engine {args.engine}"
    record.write(f"ids_read_{args.engine}_{name}", figures, f"{command} --keys {args.keys}")


if __name__ == "__main__":
    main()
