"""A model shaped as CarperAI/FIM-NeoX-1.3B, from a Hugging Face folder to answers in both engines.

    python -m benchmarks.seed_shape [--small] [--folder DIR]

Writes random weights (24 x 2048, vocabulary 50280, bfloat16 in three shards), converts them to an
int8 bundle, derives CTranslate2's form, and answers the model card's worked example.  Each step is
a process of its own, so that its peak memory is its own.  Needs 8 GB of disk and 12 GB of memory;
`--small` does the same with two layers, to check this script.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from benchmarks import record

ROOT = Path(__file__).parents[1]
PREFIX = 'def score(x, y) -> int:\n"""\n'
SUFFIX = '"""\n\n    score = x + y\n    return score'
LONG_PROMPT = 512
NEW_TOKENS = 16


def make(folder: Path, small: bool) -> dict[str, object]:
    from model_runtime.prompt.tokenizer import with_sentinels
    from tests.support.random_neox import SEED_SHAPE, write_folder

    variant = replace(SEED_SHAPE, layers=2, hidden=128) if small else SEED_SHAPE
    write_folder(folder / "source", variant)
    tokenizer = with_sentinels(ROOT / "tests" / "data" / "20B_tokenizer.json")
    tokenizer.save(folder / "source" / "tokenizer.json")
    return {
        "parameters": variant.decoder.count_parameters(),
        "bytes": _size(folder / "source"),
    }


def convert(folder: Path, small: bool) -> dict[str, object]:
    from model_runtime.importers.huggingface import convert_folder

    report = convert_folder(folder / "source", folder / "bundle", name="seed-shape")
    return {"bytes": report.bundle_bytes, "order": f"{report.order} ({report.order_source})"}


def ctranslate2(folder: Path, small: bool) -> dict[str, object]:
    return _answer(folder, "ctranslate2")


def torch(folder: Path, small: bool) -> dict[str, object]:
    return _answer(folder, "torch")


STEPS: dict[str, Callable[[Path, bool], dict[str, object]]] = {
    "make": make,
    "convert": convert,
    "ctranslate2, first start": ctranslate2,
    "ctranslate2": ctranslate2,
    "torch": torch,
}


def _answer(folder: Path, engine_name: str) -> dict[str, object]:
    from model_runtime.engines import artifact_cache, open_engine
    from model_runtime.engines.protocol import Engine, SamplingParams
    from model_runtime.models.bundle import ModelBundle
    from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest

    artifact_cache.user_cache_path = lambda *_, **__: folder / "cache"  # type: ignore[assignment]
    started = time.perf_counter()
    bundle = ModelBundle.open(folder / "bundle")
    engine = open_engine(bundle, engine=engine_name, device="cpu")
    opened = time.perf_counter() - started

    def timed(engine: Engine, prompt: list[int]) -> tuple[list[int], float, float]:
        """Ids, seconds to the first one, and median seconds for each further one."""
        begun = time.perf_counter()
        ids, times = [], []
        with engine.generate(prompt, SamplingParams(NEW_TOKENS, frozenset())) as stream:
            for token in stream:
                ids.append(token.id)
                times.append(time.perf_counter())
        steps = [later - sooner for sooner, later in itertools.pairwise(times)]
        return ids, times[0] - begun, statistics.median(steps)

    request = PromptRequest(Hole(PREFIX, SUFFIX))
    card = bundle.encoder.prompt(request, PromptBudget(128)).ids
    ids, first, _ = timed(engine, card)
    _, long_first, step = timed(engine, [7 + place * 31 % 40000 for place in range(LONG_PROMPT)])
    engine.close()
    return {
        "open_seconds": round(opened, 2),
        "card_prompt_tokens": len(card),
        "card_answer_ids": ids,
        "card_first_token_seconds": round(first, 3),
        f"first_token_seconds_of_{LONG_PROMPT}_tokens": round(long_first, 3),
        "decode_tokens_per_second": round(1 / step, 2),
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _peak_mb() -> int:
    """Returns the most resident memory that this process has had, mapped files included."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 10**6


def _run(step: str, folder: Path, small: bool) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.seed_shape", "--step", step]
    command += ["--folder", str(folder), *(["--small"] if small else [])]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, object] = {"seconds": round(time.perf_counter() - started, 1)}
    found |= json.loads(done.stdout.splitlines()[-1])
    print(f"{step}: {json.dumps(found)}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary one by default")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        figures = STEPS[args.step](args.folder, args.small)
        print(json.dumps({"peak_mb": _peak_mb(), **figures}))
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as work:
        figures = {step: _run(step, Path(work), args.small) for step in STEPS}
    figures["versions"] = {name: version(name) for name in ("torch", "transformers")}
    figures["load average"] = {"one minute": round(os.getloadavg()[0], 1)}
    if not args.small:
        record.write("seed_shape", figures, "python -m benchmarks.seed_shape")


if __name__ == "__main__":
    main()
