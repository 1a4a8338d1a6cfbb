"""Time to the first token: a cold prompt of 512 tokens against the same with one more character
typed.

    python -m benchmarks.prefix_reuse [--engine ctranslate2]

Cold and typed prompts are interleaved; each round takes another cursor, so that no round helps the
next.
"""

from __future__ import annotations

import argparse
import statistics
import time

from benchmarks import record
from benchmarks.context import SOURCE
from model_runtime.engines import open_engine
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest
from model_runtime.store import installed

_ROUNDS = 15
_TOKENS = 576  # budget; prompts come to about 512


def first_token(engine: Engine, prompt: list[int]) -> tuple[float, int]:
    """Returns milliseconds to the first token, and how many ids were cached."""
    started = time.perf_counter()
    with engine.generate(prompt, SamplingParams(1, frozenset())) as stream:
        next(stream)
        return (time.perf_counter() - started) * 1e3, stream.cached_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="ctranslate2", choices=("ctranslate2", "onnx", "torch"))
    args = parser.parse_args()
    bundle = installed.find("default")
    engine = open_engine(bundle, engine=args.engine)
    text = SOURCE.read_text(encoding="utf-8")
    cold, typed, cached, lengths = [], [], [], []
    for number in range(_ROUNDS):
        cursor = len(text) // 2 + 97 * number
        # Another first line each round: nothing of an earlier one can be reused.
        suffix = f"# round {number}\n{text[cursor + 1 :]}"
        prompts = [
            bundle.encoder.prompt(PromptRequest(Hole(text[:end], suffix)), PromptBudget(_TOKENS))
            for end in (cursor, cursor + 1)
        ]
        lengths.append(len(prompts[0].ids))
        milliseconds, _ = first_token(engine, prompts[0].ids)
        cold.append(milliseconds)
        milliseconds, reused = first_token(engine, prompts[1].ids)
        typed.append(milliseconds)
        cached.append(reused)
    engine.close()
    ratio = statistics.median(typed) / statistics.median(cold)
    print(f"{args.engine}: cold {record.spread(cold)} ms, one more key {record.spread(typed)} ms")
    print(f"ratio {ratio:.2f}; cached {record.spread(cached)} of {statistics.median(lengths)} ids")
    record.write(
        f"prefix_reuse_{args.engine}",
        {
            "prompt_tokens": statistics.median(lengths),
            "cold_first_token_ms": record.spread(cold),
            "typed_first_token_ms": record.spread(typed),
            "ratio_of_medians": round(ratio, 3),
            "cached_tokens": record.spread(cached),
            "goal": "cachedTokens > 0, ratio <= 0.333",
        },
        f"python -m benchmarks.prefix_reuse --engine {args.engine}",
    )


if __name__ == "__main__":
    main()
