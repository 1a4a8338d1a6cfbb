"""Compares decoding prompts together and one by one: what `evaluate infilling --batch` brings.

    python -m benchmarks.batch_decoding [--engine ctranslate2] [--threads 1]

Single-line prompts of HumanEval-infilling, in the groups in which the evaluation decodes them: of
like length, up to 16; greedy, to END or 64 new tokens.  Each group is decoded in every way in turn,
in an order that changes from round to round, and only once in each, so that no cache helps.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from benchmarks import record
from model_runtime.engines import open_engine
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.evaluation.infilling import of_like_length
from model_runtime.evaluation.splits import SPLITS
from model_runtime.evaluation.tasks import read_split
from model_runtime.prompt.encoder import PromptBudget, PromptRequest
from model_runtime.store import installed

_DATA = Path(__file__).parents[1] / "tests" / "data" / "human_eval_infilling"
_GROUP, _ROUNDS, _NEW_TOKENS = 16, 20, 64
_SIZES = (1, 4, 16)
"""Prompts at once; 1 goes through `generate`, as the server's requests do."""


def seconds(engine: Engine, prompts: list[list[int]], size: int, sampling: SamplingParams) -> float:
    """Returns the seconds to decode all prompts, `size` at a time."""
    started = time.perf_counter()
    for start in range(0, len(prompts), size):
        if size == 1:
            with engine.generate(prompts[start], sampling) as stream:
                list(stream)
        else:
            engine.generate_batch(prompts[start : start + size], sampling)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="ctranslate2", choices=("ctranslate2", "torch"))
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    bundle = installed.find("default")
    engine = open_engine(bundle, engine=args.engine, threads=args.threads)
    budget = PromptBudget(engine.context_length - _NEW_TOKENS)
    tasks = read_split(_DATA, SPLITS["single-line"])
    prompts = [bundle.encoder.prompt(PromptRequest(task.hole), budget).ids for task in tasks]
    groups = list(of_like_length(prompts, len, _GROUP))
    sampling = SamplingParams(_NEW_TOKENS, bundle.stop_ids)
    seconds(engine, groups[0][:2], 1, sampling)  # the first call pays for allocations
    ratios: dict[int, list[float]] = {size: [] for size in _SIZES[1:]}
    totals, decoded = dict.fromkeys(_SIZES, 0.0), 0
    for number in range(_ROUNDS):
        group = groups[1 + number * (len(groups) - 2) // (_ROUNDS - 1)]
        decoded += len(group)
        turn = number % len(_SIZES)
        found = {
            size: seconds(engine, group, size, sampling)
            for size in (*_SIZES[turn:], *_SIZES[:turn])
        }
        for size, took in found.items():
            totals[size] += took
            if size in ratios:
                ratios[size].append(found[1] / took)
    engine.close()
    figures: dict[str, object] = {
        "prompts": decoded,
        "groups": _ROUNDS,
        "group_size_mean": round(len(prompts) / len(groups), 1),
        "prompt_tokens_median": statistics.median(map(len, prompts)),
        "threads": args.threads,
        "ms_per_prompt": {
            str(size): round(1e3 * total / decoded, 1) for size, total in totals.items()
        },
    }
    for size, values in ratios.items():
        figures[f"times_as_fast_{size}_at_once"] = record.spread(values)
        print(f"{size} at once: {record.spread(values)} times as fast as one by one")
    record.write(
        f"batch_decoding_{args.engine}",
        figures,
        f"python -m benchmarks.batch_decoding --engine {args.engine} --threads {args.threads}",
    )


if __name__ == "__main__":
    main()
