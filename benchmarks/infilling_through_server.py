"""Fills the holes of HumanEval-infilling through the real server, and runs the tests.

    python -m benchmarks.infilling_through_server --model NAME --data FOLDER --split single-line

Each hole is a document in an editor with the cursor in it; an inline completion is asked for by
hand, the first one is accepted, and the program is run in the sandbox.  Context, prompt, stop rules
and filters are those of every day; only the time limit and the required confidence are off.  Where
whole lines were cut out, the cursor stands on an empty line.  Breaking it off loses nothing: the
same command goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import record
from benchmarks.editor import Editor
from model_runtime.evaluation.metrics import Interval
from model_runtime.evaluation.progress import tracked
from model_runtime.evaluation.records import RunFolder
from model_runtime.evaluation.sandbox import Sandbox
from model_runtime.evaluation.scoring import ProgramChecker, score
from model_runtime.evaluation.splits import SPLITS, Split
from model_runtime.evaluation.tasks import LANGUAGE, Task, choose, read_split
from model_runtime.prompt.encoder import Hole
from model_runtime.store import installed

_INVOKED = 1
_LABEL = "server"
_SETTINGS = {
    "eagerness": 1,
    "timeLimitMs": 0,
    "candidates": 1,
    "learnFromUse": False,
    "projectMemory": False,
    "workspaceIndex": False,
    "idleWork": False,
}


def main() -> None:
    """Evaluates and writes the report into benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="a name from `fim-runtime models list`")
    parser.add_argument("--data", type=Path, required=True, help="folder with the .jsonl.gz files")
    parser.add_argument("--split", choices=list(SPLITS), default="single-line")
    parser.add_argument("--tasks", type=int, help="only so many, spread over the problems")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="default runs/server-MODEL-SPLIT")
    args = parser.parse_args()

    split = SPLITS[args.split]
    tasks = choose(read_split(args.data, split), args.tasks)
    settings = {**_SETTINGS, "model": args.model, "engine": args.engine, "threads": args.threads}
    facts = installed.find(args.model).manifest
    question = {
        "split": split.name,
        "weights_sha256": facts.weights.sha256,
        "order": facts.prompt.name,
        "hole": facts.prompt.hole_start.value,
        "settings": settings,
    }
    out = args.out or Path("runs") / f"server-{facts.name}-{split.name}"
    folder = RunFolder(out, question)
    samples = {sample["task"]: sample for sample in folder.samples.read()}
    missing = [task for task in tasks if task.id not in samples]
    for task, sample in tracked(_filled(missing, split, settings), "filling", len(missing)):
        samples[task.id] = sample
        folder.samples.append(sample)

    # What an accepted suggestion replaced behind the cursor is no part of the program.
    asked = [replace(task, hole=Hole(*_parts(task, samples[task.id]))) for task in tasks]
    answers = {task.id: [samples[task.id]["text"]] for task in asked}
    checker = ProgramChecker(Sandbox.open(), folder.verdicts)
    programs = [(task, text) for task in asked for text in ("", *answers[task.id])]
    for _ in tracked(checker.run(programs), "executing", len(checker.pending(programs))):
        pass
    found = score(_LABEL, asked, answers, checker)
    times = [samples[task.id]["milliseconds"] for task in tasks]
    figures: dict[str, Any] = {
        "benchmark": f"HumanEval-infilling, {split.name}",
        "model": facts.name,
        "parameters": facts.parameters,
        "weights": facts.weights.dtype,
        **question,
        "tasks": len(tasks),
        "of": split.rows,
        "pass@1": _rounded(found.pass_at[1]),
        "exact_match": _rounded(found.exact_match),
        "edit_similarity": _rounded(found.edit_similarity),
        "silent": round(found.empty_share, 4),
        "engine": samples[tasks[0].id]["engine"],
        "median_ms": round(median(times), 1),
    }
    print(figures)
    record.write(
        f"server-{facts.name}-{split.name}",
        figures,
        f"python -m benchmarks.infilling_through_server --model {args.model} "
        f"--data FOLDER --split {split.name}",
    )


def _filled(
    tasks: Sequence[Task], split: Split, settings: dict[str, Any]
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Yields each task with what the server made of it."""
    if not tasks:
        return
    with Editor(settings) as editor:
        editor.wait_until_ready()
        engine = editor.statuses[-1][1]["engine"]
        for number, task in enumerate(tasks):
            before, after = task.hole.prefix, ("\n" if split.is_whole_lines else "")
            after += task.hole.suffix
            uri = f"file:///humaneval/task_{number}/problem.py"
            editor.open(uri, before + after, LANGUAGE)
            line, character = before.count("\n"), len(before.rpartition("\n")[2])
            started = time.perf_counter()
            items = editor.complete(uri, line, character, _INVOKED)
            milliseconds = (time.perf_counter() - started) * 1e3
            editor.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            text, replaced = _accepted(items, character)
            if split.is_whole_lines:
                text += "\n"
            yield (
                task,
                {
                    "task": task.id,
                    "text": text,
                    "replaced": replaced,
                    "engine": engine,
                    "milliseconds": round(milliseconds, 1),
                },
            )


def _accepted(items: Sequence[dict[str, Any]], character: int) -> tuple[str, int]:
    """Returns the text that the first item puts behind the cursor, and how much of what stands
    there it replaces, in characters.
    """
    if not items:
        return "", 0
    range_ = items[0]["range"]
    typed = character - range_["start"]["character"]
    return items[0]["insertText"][typed:], range_["end"]["character"] - character


def _parts(task: Task, sample: dict[str, Any]) -> tuple[str, str]:
    """Returns the text before and behind the answer in the program."""
    return task.hole.prefix, task.hole.suffix[sample["replaced"] :]


def _rounded(interval: Interval) -> dict[str, float]:
    """Returns an interval's mean and bounds in percent."""
    return {name: round(100 * getattr(interval, name), 1) for name in ("mean", "low", "high")}


if __name__ == "__main__":
    main()
