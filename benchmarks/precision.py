"""Measures what each number type of the ONNX engine costs: agreement with float32, and pass rate.

    python -m benchmarks.precision --data DATA [--kinds float32 int8-128 ...] [--tasks N]

For each kind the single-line split of HumanEval-infilling is evaluated (greedy, executed in the
sandbox).  `top1` is how often the likeliest id is that of float32, over all ids of the split's
middles, each after its true prompt.  DATA is the folder data/ of openai/human-eval-infilling.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import record
from model_runtime.engines.ctranslate2.engine import CTranslate2Engine
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.onnx.matrices import KINDS
from model_runtime.engines.protocol import Engine
from model_runtime.evaluation.run import InfillingOptions, evaluate_infilling
from model_runtime.evaluation.sandbox import Sandbox
from model_runtime.evaluation.splits import SPLITS
from model_runtime.evaluation.tasks import read_split
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import PromptBudget, PromptRequest
from model_runtime.store import installed

REFERENCE = "float32"
CTRANSLATE2 = "ctranslate2 int8"


def open_kind(bundle: ModelBundle, kind: str) -> Engine:
    if kind == CTRANSLATE2:
        return CTranslate2Engine.open(bundle, threads=1, kind="int8")
    return OnnxEngine.open(bundle, threads=1, kind=kind)


def likeliest(bundle: ModelBundle, engine: Engine, data: Path, most: int | None) -> Iterator[int]:
    """The greedy choice at each place of each middle."""
    for task in read_split(data, SPLITS["single-line"])[:most]:
        middle = bundle.tokenizer.encode(task.middle)
        budget = PromptBudget(engine.context_length - len(middle))
        request = PromptRequest(task.hole)
        ids = [*bundle.encoder.prompt(request, budget).ids, *middle]
        for token in engine.logprobs(ids)[-len(middle) :]:
            yield token.best_id


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", nargs="*", default=[*KINDS, CTRANSLATE2])
    parser.add_argument("--tasks", type=int, help="only so many, for a quick look")
    args = parser.parse_args()
    bundle = installed.find("default")
    sandbox = Sandbox.open(allow_unsandboxed=False)
    figures: dict[str, dict[str, float]] = {}
    expected: list[int] = []
    with tempfile.TemporaryDirectory() as work:
        earlier = None
        for kind in args.kinds:
            engine = open_kind(bundle, kind)
            found = list(likeliest(bundle, engine, args.data, args.tasks))
            expected = expected or found
            out = Path(work) / kind
            if earlier is not None:  # a program has one verdict, whoever wrote it
                out.mkdir()
                shutil.copy(earlier / "verdicts.jsonl", out)
            options = InfillingOptions(args.data, out, tasks=args.tasks, cuts=("line", "server"))
            report = evaluate_infilling(bundle, engine, options, sandbox)
            engine.close()
            earlier = out
            agreed = sum(one == other for one, other in zip(expected, found, strict=True))
            figures[kind] = {"top1": round(agreed / len(found), 4), "places": len(found)}
            for score in report.scores:
                figures[kind][f"pass@1, {score.label}"] = round(score.pass_at[1].mean, 4)
            for text in report.bits:
                figures[kind][f"bits per byte, {text.kind}"] = round(text.bits_per_byte.mean, 4)
            print(kind, figures[kind], flush=True)
    if args.tasks is None and args.kinds[0] == REFERENCE:
        record.write(
            "precision", figures, "python -m benchmarks.precision --data human-eval-infilling/data"
        )


if __name__ == "__main__":
    main()
