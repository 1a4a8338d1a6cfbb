"""Compares where the hole before a cursor may begin, and how what is typed is spelled.

    python -m benchmarks.typed_text                              the embedded model
    python -m benchmarks.typed_text --model NAME --holes 40      an added one
    python -m benchmarks.typed_text --data FOLDER                spans of HumanEval-infilling, too
    python -m benchmarks.typed_text --holes 0 --data FOLDER --spans 500    and nothing else

Holes are rests of lines in the files of the calibration, one of each kind in each file, with the
file below the line behind the cursor.  Every way writes one line for each; the nearer it comes to
what stands there, the better.  Intervals are drawn over files.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from benchmarks import calibration, record
from fim_lsp.commands.replay import progress
from model_runtime.decoding.ending import ending_of
from model_runtime.decoding.generate import generate_text
from model_runtime.engines import slot_engine, spelling
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.protocol import SamplingParams
from model_runtime.evaluation.metrics import cluster_bootstrap, edit_similarity
from model_runtime.evaluation.splits import SPLITS
from model_runtime.evaluation.tasks import choose, read_split
from model_runtime.prompt.encoder import (
    MAX_REREAD_TOKENS,
    Hole,
    PromptBudget,
    PromptEncoder,
    PromptRequest,
)
from model_runtime.prompt.format import HoleStart
from model_runtime.served_model import ServedModel, serve_bundle
from model_runtime.store import installed
from model_runtime.syntax.brackets import scan_prefix
from model_runtime.syntax.languages import Language, language, language_id

_PROMPT_TOKENS = 512
_NEW_TOKENS = 40
_MAX_CHARACTERS = 256
"""Characters that are spelled at most, as in serving."""


class Place(NamedTuple):
    """A cursor, and what stands there."""

    kind: str
    file: str
    hole: Hole
    answer: str
    language: Language


@dataclass(frozen=True, slots=True)
class Way:
    """Says where a hole begins, and how the typed text is spelled."""

    start: Callable[[Place], int]
    """Returns the offset at which the hole begins, at most that of the cursor."""
    new_ids: int = 4
    """Last ids of the typed text that are spelled anew."""
    spellings: int = spelling.WIDTH


def cursor(place: Place) -> int:
    """Returns the offset of the cursor."""
    return len(place.hole.prefix)


def line(place: Place) -> int:
    """Returns the offset of the line's start."""
    return place.hole.prefix.rfind("\n") + 1


def indentation(place: Place) -> int:
    """Returns the offset of the first visible character of the line, or of the cursor."""
    typed = place.hole.prefix[line(place) :]
    return len(place.hole.prefix) - len(typed.lstrip())


def line_end(place: Place) -> int:
    """Returns the offset of the end of the line above."""
    return max(0, line(place) - 1)


def line_above(place: Place) -> int:
    """Returns the offset of the start of the line above."""
    return place.hole.prefix.rfind("\n", 0, line_end(place)) + 1


def statement(place: Place) -> int:
    """Returns the offset of the line on which the innermost open bracket was opened."""
    start = line(place)
    depth = len(scan_prefix(place.hole.prefix[:start], place.language).open)
    while depth and start > 0:
        start = place.hole.prefix.rfind("\n", 0, start - 1) + 1
        if len(scan_prefix(place.hole.prefix[:start], place.language).open) < depth:
            return start
    return start


WAYS = {
    "the start of the line": Way(line),
    "the cursor": Way(cursor),
    "behind the indentation": Way(indentation),
    "the end of the line above": Way(line_end),
    "the start of the line above": Way(line_above),
    "the start of the statement": Way(statement),
    "one spelling": Way(line, spellings=1),
    "three spellings": Way(line, spellings=3),
    "two ids anew": Way(line, new_ids=2),
    "eight ids anew": Way(line, new_ids=8),
    "all ids anew": Way(line, new_ids=1000),
}
_KINDS = {
    "inside a word": re.compile(r"(?<=\w\w)(?=\w\w)"),
    "behind a dot": re.compile(r"(?<=[\w)\]]\.)(?=\w)"),
    "before a word": re.compile(r"(?<=[\s(\[,])(?=\w\w)"),
    "behind the indentation": re.compile(r"(?<=^ )(?=\w)|(?<=^  )(?=\w)|(?<=\s{4})(?=\w)"),
}


def places(path: Path) -> Iterator[Place]:
    """Yields a cursor of each kind in a file."""
    lines = path.read_bytes().decode("utf-8").replace("\r\n", "\n").split("\n")
    spoken = language(language_id(path.name))
    draw = random.Random(path.name)
    numbers = [at for at in range(5, len(lines)) if 8 < len(lines[at].strip()) < 120]
    draw.shuffle(numbers)
    for kind, pattern in _KINDS.items():
        for at in numbers:
            cuts = [one.start() for one in pattern.finditer(lines[at])]
            if not cuts:
                continue
            place = _place(kind, path, lines, at, draw.choice(cuts), spoken)
            if len(place.answer.strip()) > 2 and scan_prefix(place.hole.prefix, spoken).is_code:
                yield place
                break
    for at in numbers:
        above = "\n".join(lines[:at]) + "\n"
        inside = scan_prefix(above, spoken)
        if inside.is_code and inside.open.endswith(("(", "[")):
            bare = len(lines[at]) - len(lines[at].lstrip())
            cut = draw.randrange(bare, len(lines[at]) - 3)
            yield _place("in a continued line", path, lines, at, cut, spoken)
            break


def _place(kind: str, path: Path, lines: list[str], at: int, cut: int, spoken: Language) -> Place:
    prefix = "\n".join([*lines[:at], lines[at][:cut]])
    suffix = "\n" + "\n".join(lines[at + 1 :])
    return Place(kind, path.name, Hole(prefix, suffix), lines[at][cut:], spoken)


def spans(data: Path, number: int) -> Iterator[Place]:
    """Yields random spans of HumanEval-infilling."""
    spoken = language("python")
    for task in choose(read_split(data, SPLITS["random-span"]), number):
        yield Place("a random span", str(task.problem), task.hole, task.middle, spoken)


def written(model: ServedModel, encoder: PromptEncoder, place: Place, way: Way) -> str:
    """Returns the text that a model writes at a place."""
    start = max(way.start(place), len(place.hole.prefix) - _MAX_CHARACTERS)
    before, typed = place.hole.prefix[:start], place.hole.prefix[start:]
    prompt = encoder.prompt(
        PromptRequest(Hole(before, place.hole.suffix), path=place.file),
        PromptBudget(_PROMPT_TOKENS, reread_tokens=MAX_REREAD_TOKENS),
    )
    ids = model.tokenizer.encode(typed)
    kept, forced = list[int](), typed
    for count in range(len(ids) - way.new_ids, 0, -1):
        text = model.tokenizer.decode(ids[:count])
        if typed.startswith(text):
            kept, forced = ids[:count], typed[len(text) :]
            break
    ending = ending_of(place.hole, single_line=True, language=place.language, may_span_lines=True)
    with mock.patch.object(slot_engine, "spell", partial(spelling.spell, width=way.spellings)):
        found = generate_text(
            model.engine,
            model.tokenizer,
            [*prompt.ids, *kept],
            SamplingParams(_NEW_TOKENS, model.stop_ids),
            forced_text=forced,
            stop_strings=model.encoder.format.stop_strings,
            stop=ending.cut,
            unless_ended=ending.cut_unended,
        )
    return found.text


def figures(known: list[Place], texts: dict[str, list[str]]) -> dict[str, Any]:
    """Returns the figures of each way at some places, and its gain over the start of the line."""
    files = _numbers([place.file for place in known])
    similar = {
        way: [
            edit_similarity(text.strip(), place.answer.strip())
            for text, place in zip(found, known, strict=True)
        ]
        for way, found in texts.items()
    }
    base = similar[next(iter(WAYS))]
    return {
        way: {
            "edit_similarity": round(sum(values) / len(values), 4),
            "more": cluster_bootstrap(
                [value - other for value, other in zip(values, base, strict=True)], files
            )._asdict(),
            "exact": round(sum(value == 1 for value in values) / len(values), 4),
        }
        for way, values in similar.items()
    }


def _numbers(names: list[str]) -> list[int]:
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return [known[name] for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    parser.add_argument("--holes", type=int, default=100, metavar="N", help="of each kind")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="with HumanEval-infilling")
    parser.add_argument("--spans", type=int, metavar="N", help="of it (default: as holes)")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS)[1:], default=list(WAYS)[1:])
    args = parser.parse_args()
    model = serve_bundle(installed.find(args.model), "onnx", EngineOptions(threads=1))
    encoder = PromptEncoder(
        model.tokenizer, replace(model.encoder.format, hole_start=HoleStart.CURSOR)
    )
    files = [*calibration.held_out_files(), *calibration.held_out_files_of_other_languages()]
    random.Random(0).shuffle(files)
    kinds: dict[str, list[Place]] = {}
    for place in (one for path in files for one in places(path)):
        of_kind = kinds.setdefault(place.kind, [])
        if len(of_kind) < args.holes:
            of_kind.append(place)
    kinds = {kind: known for kind, known in kinds.items() if known}
    if args.data:
        kinds["a random span"] = list(spans(args.data, args.spans or args.holes))
    ways = {
        name: way for name, way in WAYS.items() if name == next(iter(WAYS)) or name in args.ways
    }
    found: dict[str, Any] = {}
    for kind, known in kinds.items():
        texts: dict[str, list[str]] = {way: [] for way in ways}
        with progress() as bar:
            task = bar.add_task("", total=len(known))
            for place in known:
                for name, way in ways.items():
                    texts[name].append(written(model, encoder, place, way))
                bar.update(task, advance=1, description=kind)
        found[kind] = {"holes": len(known), "ways": figures(known, texts)}
        print(kind, len(known))
        for name, row in found[kind]["ways"].items():
            more = row["more"]
            print(
                f"  {name:30} {row['edit_similarity']:.3f} exact {row['exact']:.3f} more "
                f"{more['mean']:+.3f} ({more['low']:+.3f} to {more['high']:+.3f})",
                flush=True,
            )
    command = f"python -m benchmarks.typed_text --model {args.model} --holes {args.holes}"
    command += " --data FOLDER" if args.data else ""
    command += f" --spans {args.spans}" if args.spans else ""
    name = f"typed_text_{args.model}" + ("" if args.holes else "_spans")
    record.write(name, found, command)


if __name__ == "__main__":
    main()
