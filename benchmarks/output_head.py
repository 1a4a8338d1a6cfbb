"""The share of the output head in a decoded id, and what its shortlist gains and changes.

    python -m benchmarks.output_head MODEL [--kinds int8-128 int4-128] [--holes N] [--threads 1]

MODEL is a bundle's folder.  Two engines, one of them exact, read the same holes of the frozen set,
and what stands there is then run id by id through both in turn, so that each decides after the
same text.  `share` is the head's part of an id: the time with it less the time of a pass alone.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import record
from model_runtime.engines.numpy_sampling import Draws
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import GeneratedToken, SamplingParams
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest

FILES = Path(__file__).parent / "replay_set"
GREEDY = SamplingParams(1, frozenset())
MAX_PROMPT, MAX_MIDDLE, LINES = 200, 64, 6


def holes(bundle: ModelBundle, of_each: int) -> Iterator[tuple[list[int], list[int]]]:
    """Prompts and the ids that stand there, some of each file."""
    drawn = random.Random(11)
    for path in sorted(path for path in FILES.glob("*/*.*") if path.is_file()):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        for _ in range(of_each):
            start = drawn.randrange(len(lines))
            before, after = lines[:start], lines[start + LINES :]
            middle = "".join(lines[start : start + LINES])
            request = PromptRequest(Hole("".join(before), "".join(after)), path.name)
            ids = bundle.encoder.prompt(request, PromptBudget(MAX_PROMPT)).ids
            yield ids, bundle.tokenizer.encode(middle)[:MAX_MIDDLE]


class Way:
    """One engine's passes over a text, and how long they took."""

    def __init__(self, bundle: ModelBundle, kind: str, threads: int, *, is_exact: bool) -> None:
        self._engine = OnnxEngine.open(bundle, kind=kind, threads=threads, is_exact=is_exact)
        self._text = self._engine.passes.new_text(MAX_PROMPT * 2 + MAX_MIDDLE)
        self.pass_ms: list[float] = []
        self.head_ms: list[float] = []

    def read(self, ids: list[int]) -> None:
        """Reads a prompt from its beginning."""
        for start in range(0, len(ids), 128):
            self._engine.passes.run(self._text, start, ids[start : start + 128])

    def next(self, place: int, id_: int) -> GeneratedToken:
        """Runs one id, and returns the likeliest after it."""
        passes = self._engine.passes
        started = time.perf_counter()
        logits = passes.run(self._text, place, [id_])
        ran = time.perf_counter()
        token = passes.pick(logits, 0, GREEDY, Draws(0))
        self.pass_ms.append((ran - started) * 1e3)
        self.head_ms.append((time.perf_counter() - ran) * 1e3)
        return token

    def figures(self) -> dict[str, float]:
        """Medians, in milliseconds."""
        ran, head = statistics.median(self.pass_ms), statistics.median(self.head_ms)
        return {
            "pass ms": round(ran, 2),
            "head ms": round(head, 2),
            "id ms": round(ran + head, 2),
            "share": round(head / (ran + head), 3),
        }

    def close(self) -> None:
        """Frees the model."""
        self._engine.close()


def measured(bundle: ModelBundle, kind: str, threads: int, of_each: int) -> dict[str, Any]:
    """The figures of one number type."""
    exact = Way(bundle, kind, threads, is_exact=True)
    short = Way(bundle, kind, threads, is_exact=False)
    pairs = []
    for prompt, middle in holes(bundle, of_each):
        exact.read(prompt)
        short.read(prompt)
        for place, id_ in enumerate(middle, len(prompt)):
            pairs.append((exact.next(place, id_), short.next(place, id_)))
    exact.close()
    short.close()
    same = [(one.logprob, other.logprob) for one, other in pairs if one.id == other.id]
    errors = sorted(abs(one - other) for one, other in same)
    of_exact, of_short = exact.figures(), short.figures()
    return {
        "exact": of_exact,
        "shortlist": of_short,
        "saved": round(1 - of_short["id ms"] / of_exact["id ms"], 3),
        "ids": len(pairs),
        "other ids": len(pairs) - len(same),
        "error of a logprob": {
            "mean": round(statistics.fmean(errors), 5),
            "p99": round(errors[int(0.99 * len(errors))], 4),
            "max": round(errors[-1], 4),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--kinds", nargs="+", default=["int8-128"])
    parser.add_argument("--holes", type=int, default=2, help="of each file")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    bundle = ModelBundle.open(args.model)
    figures: dict[str, Any] = {"model": bundle.manifest.name, "threads": args.threads}
    for kind in args.kinds:
        figures[kind] = measured(bundle, kind, args.threads, args.holes)
        print(kind, figures[kind], flush=True)
    command = f"python -m benchmarks.output_head MODEL --kinds {' '.join(args.kinds)}"
    record.write("output_head", figures, f"{command} --holes {args.holes}")


if __name__ == "__main__":
    main()
