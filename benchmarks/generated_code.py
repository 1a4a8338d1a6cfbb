"""Measures what line n-grams gain by leaving out what programs wrote.

    git clone https://github.com/sqlc-dev/sqlc FOLDER
    python -m benchmarks.generated_code --root FOLDER

Beginnings of a few Go files that people wrote are typed at the default eagerness, with line n-grams
alone, after the other files have been learned as `fim_lsp.workspace.reader` hands them over.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.languages import commit_of
from benchmarks.typed_keys import type_text
from fim_lsp.completion.line_index import MAX_LINES
from fim_lsp.completion.line_ngrams import LineNgramSuggester
from fim_lsp.document import DocumentSnapshot
from fim_lsp.workspace.listing import source_files
from fim_lsp.workspace.source_file import is_generated, read_text
from model_runtime.served_model import STANDARD_EAGERNESS
from model_runtime.syntax.languages import language_id

_FILES, _CHARACTERS = 14, 2_500
_SIZES = range(2_000, 30_000)


def learned(texts: Mapping[Path, str], order: Iterable[Path]) -> LineNgramSuggester:
    """Returns the lines of files, as many as there is room for."""
    suggester, left = LineNgramSuggester(), MAX_LINES
    for path in order:
        num_lines = texts[path].count("\n") + 1
        if num_lines <= left:
            left -= num_lines
            suggester.learn_file(str(path), texts[path])
    return suggester


def typed(suggester: LineNgramSuggester, path: Path, text: str) -> Counter[str]:
    """Types a text, and counts keys and suggestions."""

    def suggest(offset: int) -> str:
        snapshot = DocumentSnapshot(path.as_uri(), language_id(path.name), 0, text[:offset], offset)
        found = suggester.complete(snapshot, STANDARD_EAGERNESS)
        return "" if found is None else found.completion.text

    return type_text(text, 0, suggest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, required=True, metavar="FOLDER")
    root = parser.parse_args().root.resolve()
    names = source_files(root)
    random.Random(1).shuffle(names)
    texts = {root / name: text for name in names if (text := read_text(root / name)) is not None}
    generated = {path for path, text in texts.items() if is_generated(text)}
    by_hand = [path for path in texts if path not in generated]
    held_out = [
        path for path in by_hand if path.suffix == ".go" and len(texts[path]) in _SIZES
    ][:_FILES]  # fmt: skip
    orders = {
        "all, in any order": list(texts),
        "all, the generated ones changed last": [*sorted(generated), *by_hand],
        "those that people wrote": by_hand,
    }
    found: dict[str, Any] = {
        "commit": commit_of(root),
        "files": len(texts),
        "generated": len(generated),
        "typed": len(held_out),
    }
    for name, order in orders.items():
        suggester = learned(texts, (path for path in order if path not in held_out))
        counts = sum(
            (typed(suggester, path, texts[path][:_CHARACTERS]) for path in held_out), Counter()
        )
        wrong = counts["shown"] - counts["right"]
        found[name] = {
            "keys": counts["keys"],
            "saved_share": round(1 - counts["pressed"] / counts["keys"], 4),
            "shown": counts["shown"],
            "accepted": counts["accepted"],
            "wrong_per_accepted": round(wrong / max(1, counts["accepted"]), 2),
        }
        print(name, found[name], flush=True)
    record.write("generated_code", found, "python -m benchmarks.generated_code --root FOLDER")


if __name__ == "__main__":
    main()
