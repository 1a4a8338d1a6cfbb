"""What a typist waits for: fim-lsp against llama.cpp, on the same weights and the same typing.

    python -m benchmarks.keystroke [--keys 60] [--threads 1] [--gaps FILE] [--engine onnx]

Keys are typed into the real server over its pipes (benchmarks/traces.py: documents in four
languages, with the pauses between the keys), in 512 tokens of context.  Whenever its model has
answered, the clock of the typing stands still, and the same request, the ids of the prompt and the
number of tokens that were decoded, goes to each llama.cpp server, in turns: one slot each, prompt
cache on, on a connection that stays open.  So what else the machine does meets all of them.

    model answers    from the key to the text, less the debounce: through LSP, tokenizer, model and
                     filters for fim-lsp; for llama.cpp from ready ids to ids, over HTTP
    all answers      that have a text, with those from fim-lsp's cache: what the user sees
    event loop       longest time in which the server read no message

Answers are as long as a model's would be that is sure of them (benchmarks/recording_server.py): the
embedded one is weak, and would mostly stop after a token or two.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import record
from benchmarks.llama_cpp import LlamaCpp, NoLlamaCpp
from benchmarks.picture import picture
from benchmarks.traces import Trace, traces
from fim_lsp.replay import rhythm
from fim_lsp.replay.editor import Editor
from model_runtime import catalogue

CONTESTANTS = {"llama.cpp Q8_0": "q8_0", "llama.cpp Q4_0": "q4_0"}
"""Names in the table, and the type of the weights."""
GOALS = {"llama.cpp Q8_0": 0.7, "llama.cpp Q4_0": 0.9}
"""Most that fim-lsp may take, as a share of theirs."""
OURS = "fim-lsp"
_CONTEXT = 512
_WATCHED_KEYS = 20
_SETTLE_SECONDS = 0.02
"""The server is quiet when it has done nothing for so long."""


@dataclass
class Typing:
    """What came of all traces."""

    keys: int = 0
    waits_ms: list[tuple[float, float]] = field(default_factory=list)
    """Of each answer with a text: from the key, and without the debounce."""
    model_ms: dict[str, list[float]] = field(default_factory=dict)
    """Of each answer of the model, by contestant; without the debounce."""
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    cached_ids: list[int] = field(default_factory=list)
    new_ids: list[int] = field(default_factory=list)
    decoded: list[int] = field(default_factory=list)
    steps_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of each answer of the model, by step of its path."""
    blocks_ms: list[float] = field(default_factory=list)
    """Longest block of the event loop between two keys."""
    busy_ms: list[float] = field(default_factory=list)
    """The same as processor time of one callback."""


class Match:
    """One server of ours, typed into, and the others beside it."""

    def __init__(self, editor: Editor, lines: Path, others: dict[str, LlamaCpp]) -> None:
        self._editor, self._others = editor, others
        self._lines = lines.open(encoding="utf-8")
        self._turn = itertools.count()
        self.beats = False
        """Whether a timer watches the event loop."""
        self.typing = Typing(model_ms={name: [] for name in (OURS, *others)})

    async def type(self, trace: Trace) -> None:
        """One document, from the first key to the last."""
        uri = trace.path.with_name(f"typed_{trace.path.name}").as_uri()
        self._editor.open(uri, trace.language, trace.before + trace.after)
        line, character = trace.before.count("\n"), 0
        for key in trace.keys:
            place = {"line": line, "character": character}
            self._editor.change(uri, place, place, key.text)
            line += key.text.count("\n")
            character = len((" " * character + key.text).rpartition("\n")[2])
            await self._ask(uri, {"line": line, "character": character}, key.pause_ms / 1e3)
        self._editor.close(uri)

    async def _ask(self, uri: str, position: dict[str, int], pause: float) -> None:
        """Ask for what follows, and wait until the next key is due."""
        typing, sent = self.typing, time.perf_counter()
        typing.keys += 1
        answer = self._editor.ask(uri, position)
        await asyncio.wait({answer}, timeout=pause)
        if not answer.done():
            typing.outcomes["too late"] += 1
            return
        took = (time.perf_counter() - sent) * 1e3
        await asyncio.sleep(pause - took / 1e3)
        await self._quiet()
        requests = [json.loads(line) for line in self._lines]
        decision = (await self._editor.request("fimLsp/explain", None))[0]
        after_debounce = took - decision["timingsMs"].get("debounce", 0.0)
        result = answer.result()
        if result and result["items"]:
            typing.waits_ms.append((took, after_debounce))
            typing.outcomes[f"text from the {decision['source']}"] += 1
        else:
            typing.outcomes[(decision["reason"] or decision["outcome"]).partition(":")[0]] += 1
        if decision["source"] == "model" and decision.get("newTokens"):
            typing.model_ms[OURS].append(after_debounce)
            typing.cached_ids.append(decision["cachedTokens"])
            typing.new_ids.append(decision["promptTokens"] - decision["cachedTokens"])
            typing.decoded.append(decision["newTokens"])
            for step, milliseconds in {**decision["timingsMs"], "outside": took}.items():
                typing.steps_ms[step].append(milliseconds)
            typing.steps_ms["outside"][-1] -= decision["timingsMs"]["total"]
            self._ask_others(requests)
        told = await self._editor.request("fimLsp/benchmark", {"beat": self.beats})
        typing.blocks_ms.append(told["blockMs"])
        typing.busy_ms.append(told["busyMs"])

    async def _quiet(self) -> None:
        """Until the server does nothing behind its answer, so that it disturbs nobody."""
        before = None
        while before != (before := self._editor.cpu_seconds()):
            await asyncio.sleep(_SETTLE_SECONDS)

    def _ask_others(self, requests: list[dict[str, Any]]) -> None:
        """The same of each other server, another one first each time.

        What was overtaken comes first and does not count: its prompt is in our cache too.
        """
        *overtaken, counted = [request for request in requests if request["tokens"]]
        turn = next(self._turn) % max(1, len(self._others))
        for name in (list(self._others) * 2)[turn : turn + len(self._others)]:
            other = self._others[name]
            for request in overtaken:
                other.complete(request["ids"], 1)
            begun, busy = time.perf_counter(), other.processor_seconds()
            other.complete(counted["ids"], counted["tokens"], ignore_end=True)
            self.typing.model_ms[name].append((time.perf_counter() - begun) * 1e3)
            spent = self.typing.cpu_seconds
            spent[name] = spent.get(name, 0.0) + other.processor_seconds() - busy


async def type_all(
    scripts: Sequence[Trace], settings: dict[str, Any], others: dict[str, LlamaCpp]
) -> tuple[Typing, str]:
    """All traces in one server; what came of it, and the name of its engine."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "requests.jsonl"
        command = (sys.executable, "-m", "benchmarks.recording_server", str(lines))
        editor = Editor(settings, Path.cwd(), command)
        async with editor:
            match = Match(editor, lines, others)
            # The first requests of a process allocate; they do not count but for the event loop,
            # which is watched with a timer now: it would slow down the keys that do count.
            match.beats = True
            await match.type(traces(_WATCHED_KEYS)[-1])
            blocks_ms, match.beats = match.typing.blocks_ms, False
            match.typing = Typing(
                model_ms={name: [] for name in (OURS, *others)}, blocks_ms=blocks_ms
            )
            await editor.request("fimLsp/benchmark", {"beat": False})
            busy = editor.cpu_seconds() or 0.0
            for script in scripts:
                await match.type(script)
            match.typing.cpu_seconds[OURS] = (editor.cpu_seconds() or 0.0) - busy
            return match.typing, editor.status["engine"]


@contextmanager
def llama_servers(threads: int) -> Iterator[dict[str, LlamaCpp]]:
    """The other contestants, by name; none where there is no llama.cpp."""
    with ExitStack() as stack:
        started: dict[str, LlamaCpp] = {}
        try:
            for name, type_ in CONTESTANTS.items():
                server = LlamaCpp.start(catalogue.find("default"), type_, threads=threads)
                started[name] = stack.enter_context(server)
        except NoLlamaCpp as error:
            print(f"{error}; measuring fim-lsp alone")
        yield started


def percentile(values: Sequence[float], percent: float) -> float:
    """A percentile by the nearest rank, to four digits; NaN of nothing."""
    ordered = sorted(values) or [float("nan")]
    return float(f"{ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]:.4g}")


def both(values: Sequence[float]) -> dict[str, float]:
    """Median and the 95th percentile."""
    return {"p50": percentile(values, 50), "p95": percentile(values, 95)}


def figures(typing: Typing) -> dict[str, Any]:
    """All that the benchmark is about, by name."""
    ours = both(typing.model_ms[OURS])
    answered = len(typing.waits_ms)
    from_cache = answered - typing.outcomes["text from the model"]
    after = both([wait for _, wait in typing.waits_ms])
    ratios = {
        name: {it: round(ours[it] / both(times)[it], 3) for it in ours}
        for name, times in typing.model_ms.items()
        if name != OURS and times
    }
    block = max(typing.blocks_ms, default=float("nan"))
    busy = max(typing.busy_ms, default=float("nan"))
    return {
        "keys": typing.keys,
        "model_answers": len(typing.model_ms[OURS]),
        "model_answer_ms": {name: both(times) for name, times in typing.model_ms.items()},
        "share_of_their_time": ratios,
        "median_of_paired_shares": {
            name: round(
                statistics.median(
                    mine / theirs
                    for mine, theirs in zip(
                        typing.model_ms[OURS], typing.model_ms[name], strict=True
                    )
                ),
                3,
            )
            for name in ratios
        },
        "answer_ms_with_debounce": both([wait for wait, _ in typing.waits_ms]),
        "answer_ms_after_debounce": after,
        "share_from_cache": round(from_cache / answered, 3) if answered else None,
        "cpu_seconds_per_1000_keys": {
            name: round(seconds * 1000 / typing.keys, 2)
            for name, seconds in typing.cpu_seconds.items()
        },
        "event_loop_longest_block_ms": {**both(typing.blocks_ms), "max": round(block, 2)},
        "event_loop_longest_callback_cpu_ms": {**both(typing.busy_ms), "max": round(busy, 2)},
        "median_tokens": {
            "of the prompt, cached": statistics.median(typing.cached_ids or [0]),
            "of the prompt, new": statistics.median(typing.new_ids or [0]),
            "decoded": statistics.median(typing.decoded or [0]),
        },
        "median_ms_of_each_step": {
            step: round(statistics.median(times), 2) for step, times in typing.steps_ms.items()
        },
        "outcomes": dict(typing.outcomes.most_common()),
        "goals_met": {
            **{
                f"model answers <= {most} of {name}": max(ratios[name].values()) <= most
                for name, most in GOALS.items()
                if name in ratios
            },
            "all answers p50 <= 60 ms, p95 <= 150 ms": after["p50"] <= 60 and after["p95"] <= 150,
            "event loop never blocked over 10 ms": block <= 10,
        },
    }


def show(found: dict[str, Any]) -> None:
    """The table, and which goals were met."""
    table = Table("answers of the model", "p50", "p95", "fim-lsp takes", "CPU s a 1,000 keys")
    for name, times in found["model_answer_ms"].items():
        share = found["share_of_their_time"].get(name)
        table.add_row(
            name,
            f"{times['p50']:.1f} ms",
            f"{times['p95']:.1f} ms",
            f"{share['p50']:.2f} and {share['p95']:.2f}" if share else "",
            f"{found['cpu_seconds_per_1000_keys'].get(name, 0):.1f}",
        )
    console = Console(highlight=False)
    console.print(table)
    after, with_it = found["answer_ms_after_debounce"], found["answer_ms_with_debounce"]
    console.print(
        f"fim-lsp, {found['keys']} keys: a text after p50 {after['p50']:.1f} ms, "
        f"p95 {after['p95']:.1f} ms, with the debounce {with_it['p50']:.0f} and "
        f"{with_it['p95']:.0f} ms; {found['share_from_cache'] or 0:.0%} from the cache; "
        f"event loop blocked {found['event_loop_longest_block_ms']['max']:.1f} ms at the most"
    )
    for goal, is_met in found["goals_met"].items():
        console.print(f"  {'met     ' if is_met else 'not met '} {goal}")


def draw(path: Path, model_ms: dict[str, list[float]]) -> None:
    """A picture: which share of the answers of the model had come after so many milliseconds."""
    with picture(path) as (_, (axis,)):
        for name, times in model_ms.items():
            ordered = sorted(times)
            shares = [100 * (number + 1) / len(ordered) for number in range(len(ordered))]
            axis.step(ordered, shares, where="post", label=name)
        axis.set_xlabel("milliseconds from the key to the text, without the debounce")
        axis.set_ylabel("answers of the model that had come, %")
        axis.set_xlim(left=0, right=1.2 * max(percentile(t, 95) for t in model_ms.values()))
        axis.legend()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, default=60, help="of each of the four documents")
    parser.add_argument("--threads", type=int, default=1, help="of each server")
    parser.add_argument("--engine", default="onnx", help="of fim-lsp")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="another setting"
    )
    parser.add_argument("--gaps", type=Path, help="your own pauses: a JSON list of milliseconds")
    args = parser.parse_args()
    settings = {
        "engine": args.engine,
        "threads": args.threads,
        "contextTokens": _CONTEXT,
        **{name: json.loads(value) for name, _, value in (it.partition("=") for it in args.set)},
    }
    scripts = traces(args.keys, rhythm.recorded(args.gaps) if args.gaps else ())
    with llama_servers(args.threads) as others:
        typing, engine = asyncio.run(type_all(scripts, settings, others))
        programs = {name: other.program for name, other in others.items()}
    found = figures(typing)
    show(found)
    facts = {"engine": engine, "threads": args.threads, "llama_cpp": programs, **found}
    command = f"python -m benchmarks.keystroke --keys {args.keys} --threads {args.threads}"
    path = record.write("keystroke", facts, command)
    draw(
        path.with_suffix(".svg"), {name: times for name, times in typing.model_ms.items() if times}
    )


if __name__ == "__main__":
    main()
