"""Keeps an evaluation in a folder, so that it can be broken off and resumed.

run.json         what was asked for; another question in the same folder is refused
samples.jsonl    what the model wrote, a line for each sample
bits.jsonl       how likely the benchmark's own texts were
verdicts.jsonl   what became of each program
rows.json        every measure of every row, for a paired comparison (rows.py)
report.json, report.md
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_runtime.evaluation.errors import EvaluationError


class JsonLines:
    """A file of JSON objects, one a line, that only grows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """Returns all records.  A last line that was not finished is dropped, from the file as
        well.

        Raises:
            EvaluationError: another line is damaged, so the file cannot be trusted.
        """
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):  # the process ended while it wrote
            os.truncate(self.path, len(whole))
        records = []
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                records.append(dict(json.loads(line)))
            except ValueError as error:
                raise EvaluationError(
                    f"{self.path}, line {number}, is damaged; delete the file to start anew"
                ) from error
        return records

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record, so that it outlives this process."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


class RunFolder:
    """The files of one run."""

    def __init__(self, folder: Path, question: Mapping[str, Any]) -> None:
        """Opens or begin a run.

        Args:
            folder: made if it does not exist.
            question: all that the answer depends on; JSON values by name.

        Raises:
            EvaluationError: the folder holds the answer to another question, or cannot be written.
        """
        self.folder = folder
        self.samples = JsonLines(folder / "samples.jsonl")
        self.bits = JsonLines(folder / "bits.jsonl")
        self.verdicts = JsonLines(folder / "verdicts.jsonl")
        asked = json.loads(json.dumps(question))
        path = folder / "run.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                write_text(path, json.dumps(asked, indent=1) + "\n")
            found = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise EvaluationError(f"{folder} cannot be used ({error.strerror})") from error
        except ValueError as error:
            raise EvaluationError(f"{path} is damaged; choose another --out") from error
        for name in sorted(asked.keys() | found.keys()):
            ours, theirs = asked.get(name), found.get(name)
            if ours != theirs:
                raise EvaluationError(
                    f"{folder} holds another run ({name} is {theirs!r} there and {ours!r} now); "
                    "choose another --out"
                )


def write_text(path: Path, text: str) -> None:
    """Writes a whole file or nothing."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
