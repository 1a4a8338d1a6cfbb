"""Measures what guessing ids ahead gains on real requests, and what a perfect guess would gain.

    python -m benchmarks.drafts [--shapes 34m 162m] [--keys 150] [--rounds 3]

requests   the frozen set is typed through the server, whose requests to the engine are recorded;
           each is then decoded by the embedded model, as far as the server read it, with guesses
           and without in turn.  `times_as_fast` is time without by time with, median of the rounds;
           `accepted` is the share of guesses that were right.
answers    the same for 24 ids at 100 places further down in the files, where no rule stops them.
ceiling    what a model would gain that always writes what the file says: at places of the same
           files the guesses are held against the true rest of the line, or the next lines, and the
           passes that remain cost what passes of so many ids cost on that model (measured in turn,
           512 ids cached).  Weights are random: only their time counts.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import truediv
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.engine import SHAPES, bundles
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.speculative import Drafter, Drafting
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest
from model_runtime.store import installed

SET = Path(__file__).parent / "replay_set"
WAYS = {
    f"{most} ids after {match}": Drafting(most, match) for most in (2, 4, 8) for match in (2, 4)
}
PLACES = 12
"""Requests of each file, for the ceiling."""
NEW_TOKENS = 48

Request = tuple[list[int], int, int]
"""The prompt, the limit, and how many tokens were read."""


def serve(log: Path) -> None:
    """A server that writes down what it asks of its engine; started by the replay."""
    from fim_lsp.cli import main as serve_main

    generate = OnnxEngine.generate
    with log.open("a", encoding="utf-8") as lines:

        def recorded(
            engine: OnnxEngine, prompt: Sequence[int], sampling: SamplingParams, cancel: Any = None
        ) -> Any:
            stream = generate(engine, prompt, sampling, cancel)
            tokens = stream._tokens

            def counted() -> Iterator[Any]:
                count = 0
                try:
                    for token in tokens:
                        count += 1
                        yield token
                finally:
                    tokens.close()
                    print(json.dumps([[*prompt], sampling.max_tokens, count]), file=lines)
                    lines.flush()

            stream._tokens = counted()  # type: ignore[assignment]
            return stream

        OnnxEngine.generate = recorded  # type: ignore[method-assign,assignment]
        sys.argv = ["fim-lsp", "serve", "--log-level", "error"]
        serve_main()


def requests(keys: int, paths: Sequence[Path]) -> list[Request]:
    """Records the requests that the server makes of its engine while the files are typed."""
    from fim_lsp.replay import script, session
    from fim_lsp.replay.typist import Manner

    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "requests"
        session.run(
            script.of_files(paths),
            Manner(is_fast=True, max_keys=keys),
            {"engine": "onnx", "threads": 1},
            description="",
            command=(sys.executable, "-m", "benchmarks.drafts", "--serve", str(log)),
        )
        return [tuple(json.loads(line)) for line in log.read_text().splitlines()]  # type: ignore


def decode(
    engine: OnnxEngine, bundle: ModelBundle, request: Request, drafting: Drafting | None
) -> tuple[float, int, int, int]:
    """Seconds of the whole request, passes, proposed, accepted."""
    prompt, limit, count = request
    engine.drafting = drafting
    started = time.perf_counter()
    with engine.generate(prompt, SamplingParams(limit, bundle.stop_ids)) as stream:
        for _ in range(count):
            next(stream, None)
        counts = stream.drafts
    seconds = time.perf_counter() - started
    return seconds, counts.passes, counts.proposed, counts.accepted


def on_requests(bundle: ModelBundle, asked: list[Request], rounds: int) -> dict[str, Any]:
    """Each way against none, request by request in turn, each on an engine of its own."""
    ways: dict[str, Drafting | None] = {"off": None, **WAYS}
    engines = {name: OnnxEngine.open(bundle, threads=1) for name in ways}
    times: dict[str, list[float]] = {name: [] for name in ways}
    counts: dict[str, tuple[int, ...]] = {}
    for _ in range(rounds):
        seconds: Counter[str] = Counter()
        totals: dict[str, list[tuple[int, ...]]] = {name: [] for name in ways}
        for request in asked:
            for name in random.sample(list(ways), len(ways)):
                took, *others = decode(engines[name], bundle, request, ways[name])
                seconds[name] += took
                totals[name].append(tuple(others))
        for name in ways:
            times[name].append(seconds[name])
            counts[name] = tuple(map(sum, zip(*totals[name], strict=True)))
    for engine in engines.values():
        engine.close()
    return {
        "requests": len(asked),
        "tokens": sum(count for _, _, count in asked),
        "seconds_off": record.spread(times["off"]),
        "ways": {
            name: {
                "times_as_fast": round(
                    statistics.median(
                        off / mine for off, mine in zip(times["off"], times[name], strict=True)
                    ),
                    3,
                ),
                "passes": counts[name][0],
                "proposed": counts[name][1],
                "accepted": round(counts[name][2] / max(1, counts[name][1]), 3),
            }
            for name in ways
        },
    }


def true_texts(
    bundle: ModelBundle, paths: Sequence[Path]
) -> dict[str, list[tuple[list[int], list[int]]]]:
    """Prompts at places of the files, and the ids that stand there: a rest of line, some lines."""
    drawn, found = random.Random(5), {"line": [], "lines": []}  # type: ignore[var-annotated]
    budget = PromptBudget(bundle.manifest.context_length - NEW_TOKENS)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for place in sorted(drawn.sample(range(len(text) // 4, len(text)), PLACES)):
            for kind, count in (("line", 1), ("lines", 4)):
                middle = "".join(text[place:].splitlines(keepends=True)[:count])
                hole = Hole(text[:place], text[place + len(middle) :])
                ids = bundle.encoder.prompt(PromptRequest(hole), budget).ids
                truth = bundle.tokenizer.encode(middle)[:NEW_TOKENS]
                if len(truth) > 1:
                    found[kind].append((ids, truth))
    return found


def answers(texts: list[tuple[list[int], list[int]]]) -> list[Request]:
    """Some of the places, each decoded for 24 ids whatever they say."""
    drawn = random.Random(8).sample(texts, min(100, len(texts)))
    return [(prompt, 24, 24) for prompt, _ in drawn]


def passes(
    bundle: ModelBundle, texts: list[tuple[list[int], list[int]]], drafting: Drafting | None
) -> Counter[int]:
    """Counts the passes of so many ids that write the true texts, after each one's first id."""
    sizes: Counter[int] = Counter()
    for prompt, truth in texts:
        drafter = Drafter(drafting or Drafting(0, 1), bundle.stop_ids)
        drafter.add([*prompt, truth[0]])
        done = 1
        while done < len(truth):
            guess = drafter.propose(len(truth) - done - 1)
            right = 0
            while right < len(guess) and guess[right] == truth[done + right]:
                right += 1
            sizes[1 + len(guess)] += 1
            drafter.add(truth[done : done + right + 1])
            done += right + 1
    return sizes


def pass_costs(bundle: ModelBundle, rounds: int) -> dict[int, float]:
    """Milliseconds of a pass by its ids, 512 others cached: medians of ratios to a single id."""
    engine = OnnxEngine.open(bundle, threads=1)
    drawn = random.Random(6)
    vocab = bundle.manifest.decoder.vocab
    ids = [drawn.randrange(8, vocab) for _ in range(513)]
    sizes = sorted({1 + way.most for way in WAYS.values()} | {1, 2, 4})
    samples: dict[int, list[float]] = {size: [] for size in sizes}
    engine.verify(ids, [])
    for _ in range(rounds * 10):
        for size in sizes:
            drafted = [drawn.randrange(8, vocab) for _ in range(size - 1)]
            started = time.perf_counter()
            engine.verify(ids, drafted)
            samples[size].append((time.perf_counter() - started) * 1e3)
    engine.close()
    one = statistics.median(samples[1])
    return {
        size: one * statistics.median(map(truediv, values, samples[1]))
        for size, values in samples.items()
    }


def cost(sizes: Counter[int], costs: dict[int, float]) -> float:
    """Milliseconds of all passes; between two measured sizes on the line that joins them."""

    def one(size: int) -> float:
        below = max(known for known in costs if known <= size)
        above = min(known for known in costs if known >= size)
        share = (size - below) / (above - below) if above > below else 0.0
        return costs[below] + share * (costs[above] - costs[below])

    return sum(count * one(size) for size, count in sizes.items())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", nargs="*", default=["34m", "162m"], choices=tuple(SHAPES))
    parser.add_argument("--keys", type=int, default=150, help="of each file, for the requests")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return
    paths = sorted(path for path in SET.glob("*/*.*") if path.is_file())
    embedded = installed.find("default")
    asked = requests(args.keys, paths)
    figures: dict[str, Any] = {"requests": on_requests(embedded, asked, args.rounds)}
    print(json.dumps(figures, indent=1), flush=True)
    texts = true_texts(embedded, paths)
    figures["answers"] = on_requests(embedded, answers(texts["line"]), args.rounds)
    print(json.dumps(figures["answers"], indent=1), flush=True)
    with bundles(["embedded", *args.shapes]) as opened:
        costs = {name: pass_costs(bundle, args.rounds) for name, bundle in opened.items()}
    figures["ms_of_a_pass_by_its_ids"] = costs
    figures["ceiling"] = {
        kind: {
            way: {
                name: round(
                    cost(passes(embedded, own, None), by_size)
                    / cost(passes(embedded, own, drafting), by_size),
                    3,
                )
                for name, by_size in costs.items()
            }
            for way, drafting in WAYS.items()
        }
        for kind, own in texts.items()
    }
    print(json.dumps(figures["ceiling"], indent=1))
    record.write("drafts", figures, f"python -m benchmarks.drafts --keys {args.keys}")


if __name__ == "__main__":
    main()
