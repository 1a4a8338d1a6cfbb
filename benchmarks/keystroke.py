"""Measures what a typist waits for: fim-lsp against llama.cpp, on the same weights and typing.

    python -m benchmarks.keystroke [--keys 60] [--threads 1] [--shape 46m] [--gaps FILE]

Keys are typed into the real server over its pipes (benchmarks/traces.py: documents in four
languages, with the pauses between the keys), in 512 tokens of context.  Whenever its model has
answered, the clock of the typing stands still, and the same request, the ids of the prompt and the
number of tokens that were decoded, goes to each llama.cpp server, in turns: one slot each, prompt
cache on, on a connection that stays open.  So what else the machine does meets all of them.

    model answers    from the key to the text, less the debounce: through LSP, tokenizer, model and
                     filters for fim-lsp; for llama.cpp from ready ids to ids, over HTTP
    all answers      that have a text, with those from fim-lsp's cache: what the user sees
    event loop       longest time in which the server read no message, less what other programs took
                     of the processor meanwhile (Linux)

A key that is due before the answer has come waits for it and is counted as late, so that no slow
answer is missing from the figures.  Answers are as long as a model's would be that is sure of them
(benchmarks/recording_server.py): the embedded one is weak, and would mostly stop after a token or
two.  --shape takes a larger model with random weights, whose answers are eight tokens each.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.engine import SHAPES, bundles
from benchmarks.keystroke_figures import OURS, Typing, draw, figures, show
from benchmarks.traces import Trace, traces
from fim_lsp.replay import rhythm
from fim_lsp.replay.editor import Editor
from model_runtime.models.bundle import ModelBundle
from model_runtime.store import installed
from tests.support.llama_cpp import LlamaCpp, NoLlamaCpp

CONTESTANTS = {"llama.cpp Q8_0": "q8_0", "llama.cpp Q4_0": "q4_0"}
"""Names in the table, and the type of the weights."""
_CONTEXT = 512
_TIMEOUT_SECONDS = 60.0
_WATCHED_KEYS = 20
_RANDOM_TOKENS = 8
"""Tokens of an answer of random weights, which end none themselves."""
_SETTLE_SECONDS = 0.02
"""Seconds after which a server that has done nothing is quiet."""


class Match:
    """A server of ours, typed into, and the others beside it."""

    def __init__(self, editor: Editor, lines: Path, others: dict[str, LlamaCpp]) -> None:
        self._editor, self._others = editor, others
        self._lines = lines.open(encoding="utf-8")
        self._turn = itertools.count()
        self.beats = False
        """Whether a timer watches the event loop."""
        self.typing = Typing(model_ms={name: [] for name in (OURS, *others)})

    async def type(self, trace: Trace) -> None:
        """Types one document, from the first key to the last."""
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
        """Asks for what follows, and waits until the next key is due."""
        typing, sent = self.typing, time.perf_counter()
        typing.keys += 1
        answer = self._editor.ask(uri, position)
        result = await asyncio.wait_for(answer, _TIMEOUT_SECONDS)
        took = (time.perf_counter() - sent) * 1e3
        typing.late += took / 1e3 > pause
        await asyncio.sleep(max(0.0, pause - took / 1e3))
        await self._quiet()
        requests = [json.loads(line) for line in self._lines]
        answer = await self._editor.request("fimLsp/explain", {"limit": 1})
        (decision,) = answer["traces"]
        after_debounce = took - decision["timingsMs"].get("debounce", 0.0)
        if result and result["items"]:
            typing.waits_ms.append((took, after_debounce))
            typing.outcomes[f"text from the {decision['source']}"] += 1
        else:
            typing.outcomes[decision["reasonCode"] or decision["outcome"]] += 1
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
        typing.ours_ms.append(told["oursMs"])

    async def _quiet(self) -> None:
        """Waits until the server does nothing behind its answer, so that it disturbs nobody."""
        before = None
        while before != (before := self._editor.cpu_seconds()):
            await asyncio.sleep(_SETTLE_SECONDS)

    def _ask_others(self, requests: list[dict[str, Any]]) -> None:
        """Asks each other server the same, another one first each time.

        A request that was overtaken comes first and does not count: its prompt is in our cache too.
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
    """Types all traces into one server; returns its answers, and the name of its engine."""
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
            watched, match.beats = match.typing, False
            match.typing = Typing(
                model_ms={name: [] for name in (OURS, *others)},
                blocks_ms=watched.blocks_ms,
                ours_ms=watched.ours_ms,
            )
            await editor.request("fimLsp/benchmark", {"beat": False})
            busy = editor.cpu_seconds() or 0.0
            for script in scripts:
                await match.type(script)
            match.typing.cpu_seconds[OURS] = (editor.cpu_seconds() or 0.0) - busy
            return match.typing, editor.status["engine"]


@contextmanager
def model_of(shape: str) -> Iterator[ModelBundle]:
    """Gives the embedded model, or one of benchmarks.engine with random weights in a temporary
    folder.
    """
    if shape == "embedded":
        yield installed.find("default")
        return
    made = bundles([shape])
    with tempfile.TemporaryDirectory() as cache, closing(made):
        os.environ["XDG_CACHE_HOME"] = cache  # of the server, which derives its form there
        yield next(made)[1]


@contextmanager
def llama_servers(bundle: ModelBundle, threads: int) -> Iterator[dict[str, LlamaCpp]]:
    """Gives the other contestants, by name; none where there is no llama.cpp."""
    with ExitStack() as stack:
        started: dict[str, LlamaCpp] = {}
        try:
            for name, type_ in CONTESTANTS.items():
                server = LlamaCpp.start(bundle, type_, threads=threads)
                started[name] = stack.enter_context(server)
        except NoLlamaCpp as error:
            print(f"{error}; measuring fim-lsp alone")
        yield started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, default=60, help="of each of the four documents")
    parser.add_argument("--threads", type=int, default=1, help="of each server")
    parser.add_argument("--shape", default="embedded", choices=("embedded", *SHAPES))
    parser.add_argument("--engine", default="onnx", help="of fim-lsp")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="another setting"
    )
    parser.add_argument("--gaps", type=Path, help="your own pauses: a JSON list of milliseconds")
    args = parser.parse_args()
    scripts = traces(args.keys, rhythm.recorded(args.gaps) if args.gaps else ())
    with (
        model_of(args.shape) as bundle,
        llama_servers(bundle, args.threads) as others,
    ):
        settings = {
            "model": str(bundle.path),
            "engine": args.engine,
            "threads": args.threads,
            "contextTokens": _CONTEXT,
            "languages": {"*": True},  # also those that the embedded model is silent in
            "maxNewTokens": 48 if args.shape == "embedded" else _RANDOM_TOKENS,
            **{
                name: json.loads(value) for name, _, value in (it.partition("=") for it in args.set)
            },
        }
        typing, engine = asyncio.run(type_all(scripts, settings, others))
        programs = {name: other.program for name, other in others.items()}
        parameters = bundle.manifest.parameters
    found = figures(typing)
    print(f"{args.shape}, {parameters / 1e6:.0f} M parameters, {engine}, threads: {args.threads}")
    show(found)
    facts = {"shape": args.shape, "parameters": parameters, "engine": engine}
    facts |= {"threads": args.threads, "llama_cpp": programs, **found}
    options = f"--keys {args.keys} --threads {args.threads} --shape {args.shape}"
    name = "keystroke" if args.shape == "embedded" else f"keystroke_{args.shape}"
    path = record.write(name, facts, f"python -m benchmarks.keystroke {options}")
    drawn = {name: times for name, times in typing.model_ms.items() if times}
    draw(path.with_suffix(".svg"), drawn)


if __name__ == "__main__":
    main()
