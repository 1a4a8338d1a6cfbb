"""Measures what a model gains by text of other files, longer prompts and several candidates.

    git clone https://github.com/OWNER/NAME FOLDER/NAME    each of `commit_places.SUFFIXES`
    python -m benchmarks.commits --model NAME --root FOLDER

Holes are the rests of lines that the newest commits have added (`commit_places`).  A line of
runs/commits/MODEL-NAME.jsonl is one answer; what stands there is not asked for again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.commit_places import SUFFIXES, Place, places
from benchmarks.context_sources import WAYS, first_line, looked_through, written
from benchmarks.record import write
from fim_lsp.completion.candidates import TEMPERATURE, TOP_P, distinct, mean_logprob_of
from fim_lsp.context import EVERY_SOURCE, gather, sources_of
from fim_lsp.context.chunks import chunks
from fim_lsp.suggestion import Completion
from fim_lsp.workspace.project import Project
from model_runtime.decoding.generate import Generation, generate_text
from model_runtime.decoding.stop_rules import StopRules, wants_single_line
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.evaluation.metrics import cluster_bootstrap, edit_similarity
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import MAX_REREAD_TOKENS, PromptBudget, PromptRequest
from model_runtime.store import installed
from model_runtime.syntax.languages import language

FOLDER = Path("runs/commits")
TOKENS = 768
"""The default window, that of all ways without a number."""
WINDOWS = (192, 384, 1536)
_WITH_ALL = 1024
"""A window in which text of other files takes nothing from the document's own."""
_BEST_OF, _MOST = "best of", 3
"""Name of a way with several candidates, and their default number."""
_MAX_NEW_TOKENS = 48
Row = dict[str, Any]


class Asker:
    """Asks a model at places, and never twice the same."""

    def __init__(self, bundle: ModelBundle) -> None:
        """Opens the model, for one thread."""
        self._bundle = bundle
        self._engine: Engine = OnnxEngine.open(bundle, threads=1)

    def answers(
        self, place: Place, project: Project, windows: Sequence[int], done: Set[str]
    ) -> Iterator[Row]:
        """Yields a row for each kind of text of other files, and for each window without any, but
        for the ways that are done.
        """
        known: dict[tuple[object, ...], Generation] = {}
        ways = [(name, sources_of(wanted), TOKENS) for name, wanted in WAYS.items()]  # type: ignore[arg-type]
        ways += [(f"{tokens} tokens", frozenset(), tokens) for tokens in windows]
        ways += [(f"all in {_WITH_ALL} tokens", EVERY_SOURCE, _WITH_ALL)]
        snapshot = place.snapshot
        for way, sources, tokens in ways:
            if way in done or tokens + _MAX_NEW_TOKENS > self._engine.context_length:
                continue
            files = partial(project.files, snapshot.uri)
            look = partial(gather, snapshot, place.opened if sources else (), files, sources)
            chunks.cache_clear()
            first_ms = _milliseconds(look)
            found = look(clock=lambda: 0.0)  # all that is there, since time may end a first look
            again_ms = _milliseconds(look)
            request = PromptRequest(snapshot.hole, snapshot.path, found.snippets, snapshot.project)
            budget = PromptBudget(tokens, reread_tokens=MAX_REREAD_TOKENS)
            prompt = self._bundle.encoder.prompt(request, budget)
            key = (tuple(prompt.ids), prompt.forced_text)
            if key not in known:
                known[key] = written(self._engine, self._bundle, snapshot, prompt)
            answer = known[key]
            yield {
                "way": way,
                "similarity": edit_similarity(first_line(answer.text), place.rest.strip()),
                "prompt_tokens": len(prompt.ids),
                "tokens_from_elsewhere": prompt.snippet_tokens,
                "first_gathered_ms": round(first_ms, 2) if sources else 0.0,
                "gathered_again_ms": round(again_ms, 2) if sources else 0.0,
                "ms_per_token": answer.first_token_ms / max(1, answer.read_tokens),
            }

    def candidates(self, place: Place) -> Iterator[Row]:
        """Yields a row for each number of suggestions that somebody may ask for, with the
        similarity of the best of them.
        """
        hole, spoken = place.snapshot.hole, language(place.snapshot.language_id)
        request = PromptRequest(hole, place.snapshot.path, (), place.snapshot.project)
        prompt = self._bundle.encoder.prompt(request, PromptBudget(TOKENS))
        rules = StopRules(hole, wants_single_line(hole, language=spoken), spoken)
        kept: list[Completion] = []
        tokens, milliseconds, wanted = 0, 0.0, 1
        # As `completion.candidates`: the likeliest first, then two tries for each further one.
        for number in range(1 + 2 * (_MOST - 1)):
            sampling = SamplingParams(_MAX_NEW_TOKENS, self._bundle.stop_ids)
            if number:
                sampling = SamplingParams(
                    _MAX_NEW_TOKENS, self._bundle.stop_ids, TEMPERATURE, TOP_P, number - 1
                )
            answer = generate_text(
                self._engine, self._bundle.tokenizer, prompt.ids, sampling,
                forced_text=prompt.forced_text, stop=rules.cut,
            )  # fmt: skip
            tokens, milliseconds = tokens + answer.tokens, milliseconds + answer.total_ms
            if answer.text.strip():
                mean = mean_logprob_of(answer.text, answer)
                kept = distinct([*kept, Completion("", answer.text, 0, 0, mean)])
            while wanted <= _MOST and (len(kept) >= wanted or number >= 2 * (wanted - 1)):
                lines = [first_line(one.text) for one in kept] or [""]
                yield {
                    "way": f"{_BEST_OF} {wanted}",
                    "similarity": max(edit_similarity(one, place.rest.strip()) for one in lines),
                    "new_tokens": tokens,
                    "all_ms": round(milliseconds, 1),
                }
                wanted += 1
            if wanted > _MOST:
                return


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3


def ask(asker: Asker, place: Place, out: Path, windows: Sequence[int], *, by_hand: bool) -> None:
    """Adds the rows of a place that are not there yet to a file."""
    about = {"commit": place.commit, "date": place.date, "path": place.snapshot.path}
    done = {row["way"] for row in read(out) if about.items() <= row.items()}
    project = asyncio.run(looked_through(place.root))
    rows = list(asker.answers(place, project, windows, done))
    if by_hand and not any(way.startswith(_BEST_OF) for way in done):
        rows += asker.candidates(place)
    with out.open("a", encoding="utf-8") as file:  # all of a place, or nothing
        file.writelines(f"{json.dumps({**about, **row})}\n" for row in rows)


def read(path: Path) -> list[Row]:
    """Returns the rows of a file; none where there is no file."""
    return (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    )


def summed(rows: Sequence[Row]) -> Row:
    """Returns the figures of each way, with intervals drawn over commits."""
    ways: dict[str, dict[tuple[str, str], Row]] = {}
    for row in rows:
        ways.setdefault(row["way"], {})[row["commit"], row["path"]] = row
    figures: Row = {
        "holes": len(ways["none"]),
        "commits": len({commit for commit, _ in ways["none"]}),
        "oldest": min(row["date"] for row in rows),
        "ways": {},
    }
    for way, found in ways.items():
        base = ways[f"{_BEST_OF} 1" if way.startswith(_BEST_OF) else "none"]
        commits = [commit for commit, _ in found]
        values = [row["similarity"] for row in found.values()]
        gains = [row["similarity"] - base[place]["similarity"] for place, row in found.items()]
        costs = next(iter(found.values())).keys() - {"way", "similarity", "commit", "date", "path"}
        figures["ways"][way] = {
            "holes": len(found),
            "edit_similarity": cluster_bootstrap(values, commits)._asdict(),
            "gained": cluster_bootstrap(gains, commits)._asdict(),
            "better": sum(gain > 0 for gain in gains),
            "worse": sum(gain < 0 for gain in gains),
            "exact": round(sum(value == 1 for value in values) / len(values), 4),
            **{
                name: round(statistics.mean(row[name] for row in found.values()), 2)
                for name in sorted(costs)
            },
        }
        if sum(row.get("tokens_from_elsewhere", 0) for row in found.values()):
            figures["ways"][way]["holes_with_text_from_elsewhere"] = sum(
                row["tokens_from_elsewhere"] > 0 for row in found.values()
            )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    parser.add_argument("--root", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--holes", type=int, default=40, metavar="N", help="of each repository")
    parser.add_argument(
        "--more", type=int, default=8, metavar="N", help="with the longest window and candidates"
    )
    args = parser.parse_args()
    bundle = installed.find(args.model)
    asker = Asker(bundle)
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = {name: FOLDER / f"{args.model}-{name}.jsonl" for name in SUFFIXES}
    found = {name: places(args.root / name, args.holes) for name in SUFFIXES}
    for number in range(args.holes):  # all repositories in turn, so that it can be ended
        is_more = number < args.more
        windows = [one for one in WINDOWS if is_more or one < TOKENS]
        for name, of_repository in found.items():
            if place := next(of_repository, None):
                ask(asker, place, files[name], windows, by_hand=is_more)
    rows = {name: read(out) for name, out in files.items()}
    figures: Row = {name: summed(known) for name, known in rows.items()}
    figures["all"] = summed([row for known in rows.values() for row in known])
    for name, of_ways in figures.items():
        print(name, json.dumps(of_ways), flush=True)
    command = f"python -m benchmarks.commits --model {args.model} --root FOLDER"
    write(f"commits_{args.model}", figures, f"{command} --holes {args.holes}")


if __name__ == "__main__":
    main()
