"""Measures how fast each form of the weights reads passes of several lengths: ONNX Runtime's.

    python -m benchmarks.reading_forms [--model NAME] [--threads N] [--rounds N]

A pass runs without the output head, as all but the last of a prompt do, behind no other ids and
behind 400 of the same text.  The forms take turns at each length, in one process.  The least time
is what the machine can do; the median has what else ran on it.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

from benchmarks import record
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.onnx.matrices import SIGNED_ROWS, UNSIGNED_ROWS
from model_runtime.models.bundle import ModelBundle
from model_runtime.store import installed

FORMS = ("int8-128", "int8-32", SIGNED_ROWS, UNSIGNED_ROWS, "int4-128", "int4-32")
LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128)
KEPT = (0, 400)


def measure(
    bundle: ModelBundle, forms: list[str], threads: int, rounds: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Returns milliseconds of a pass by "LENGTH ids behind KEPT", and form."""
    engines = {
        form: OnnxEngine.open(bundle, threads=threads, kind=form, kept_bytes=0) for form in forms
    }
    vocab = bundle.manifest.decoder.vocab
    ids = [place * 7919 % vocab for place in range(max(KEPT) + max(LENGTHS))]
    texts = {form: engine.passes.new_text(len(ids)) for form, engine in engines.items()}
    taken: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for form, engine in engines.items():
        for start in range(0, len(ids), max(LENGTHS)):
            engine.passes.run(texts[form], start, ids[start : start + max(LENGTHS)])
    for _ in range(rounds):
        for kept in KEPT:
            for length in LENGTHS:
                place = f"{length} ids behind {kept}"
                for form, engine in engines.items():
                    started = time.perf_counter()
                    engine.passes.run(texts[form], kept, ids[kept : kept + length])
                    taken[place][form].append((time.perf_counter() - started) * 1e3)
    for engine in engines.values():
        engine.close()
    return {
        place: {form: record.spread(times) for form, times in by_form.items()}
        for place, by_form in taken.items()
    }


def main() -> None:
    """Measures, prints a table and writes the report into benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="default", help="a name from `fim-runtime models list`")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--forms", nargs="*", default=list(FORMS))
    args = parser.parse_args()
    bundle = installed.find(args.model)
    figures = measure(bundle, args.forms, args.threads, args.rounds)
    print(f"{'ms, the least':24}", *(f"{form:>10}" for form in args.forms))
    for place, by_form in figures.items():
        print(f"{place:24}", *(f"{by_form[form]['min']:10.2f}" for form in args.forms))
    name = f"reading_forms_{args.model}_{args.threads}"
    record.write(
        name,
        {"model": bundle.manifest.name, "threads": args.threads, "ms": figures},
        f"python -m benchmarks.reading_forms --model {args.model} --threads {args.threads}",
    )


if __name__ == "__main__":
    main()
