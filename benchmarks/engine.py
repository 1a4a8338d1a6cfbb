"""Times the engines side by side, in turns: prompts, decoding, keys with a cached prompt, passes.

    python -m benchmarks.engine [--shapes embedded 34m 46m 162m 1.3b] [--threads 1]

embedded is the model in the package; the others are shapes with random weights, stored as int8
(speed does not depend on the values).  llama.cpp's server runs the same weights where there is one
(tests/support/llama_cpp.py).  Each measure is taken from every engine in turn, so what else the
machine does meets all of them: trust the ratios, not the figures of two runs.

    prompt    ids per second of a prompt of 512 ids, nothing of it cached
    decode    ids per second after it
    tail_1    milliseconds from 8 new ids on a cached prompt of 512 to the first token
    tail_16   the same to the sixteenth token
    key       milliseconds from 2 new ids to the eighth token: what a typist waits for
    verify_k  milliseconds of one pass over k ids after the cached prompt, with logits of each
    *_cpu     milliseconds of processor time, of the prompt, of a decoded token and of a key: what
              an engine takes from the other programs, and steadier when those are busy

`share_of_bound` compares decoding with what memory allows (benchmarks/bandwidth.py), for the bytes
that the engine itself reads: of 4-bit weights or a float16 cache these are fewer.  It is the best
rate over the best bandwidth of all rounds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.bandwidth import bandwidth, bytes_per_token
from benchmarks.contestants import Contestant, contestant
from benchmarks.picture import picture
from model_runtime.engines import artifact_cache
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import ModelBundle
from model_runtime.store import installed
from tests.support.llama_cpp import NoLlamaCpp, Program
from tests.support.random_neox import Variant, fim_config, train_tokenizer, write_folder

SHAPES = {
    "34m": Variant(layers=8, hidden=512, heads=8, vocab=8192, positions=1024),
    "46m": Variant(layers=12, hidden=512, heads=8, vocab=16384, positions=1024, tied=True),
    "162m": Variant(layers=12, hidden=768, heads=12, vocab=50280, positions=1024),
    "1.3b": Variant(layers=24, hidden=2048, heads=16, vocab=50280, positions=1024),
}
ENGINES = ("ctranslate2", "onnx", "llama.cpp q8_0", "llama.cpp q4_0")
RATES = ("prompt", "decode")
"""Measures of which more is faster; of the other ones less is."""
DRAFTS = (1, 4, 8, 16)
DRAWN = (*RATES, "tail_1", "tail_16", "key", *(f"verify_{count}" for count in DRAFTS))
MEASURES = (*DRAWN, "prompt_cpu", "decode_cpu", "key_cpu")

_PROMPT = 512
_DECODED = 32
_PAUSE = 0.1
"""Seconds between two engines, so that threads of the first one have stopped spinning."""

Samples = dict[str, list[float]]


def bundles(names: list[str]) -> Iterator[tuple[str, ModelBundle]]:
    """Gives the models by name; random ones and all derived forms lie in a temporary folder."""
    for name in names:
        with tempfile.TemporaryDirectory() as work:
            artifact_cache.user_cache_path = lambda *_, at=work, **__: Path(at)  # type: ignore[assignment]
            yield name, _bundle(name, Path(work))


def _bundle(name: str, work: Path) -> ModelBundle:
    if name == "embedded":
        return installed.find("default")
    variant, source = SHAPES[name], work / name / "source"
    write_folder(source, variant)
    train_tokenizer(source / "tokenizer.json", variant.vocab)
    (source / "fim_config.json").write_text(json.dumps(fim_config(variant.positions)))
    convert_folder(source, work / name / "bundle", name=name, quantization="int8")
    return ModelBundle.open(work / name / "bundle")


def available(names: list[str]) -> tuple[list[str], str | None]:
    """Returns the contestants that are here, and which llama.cpp it is."""
    if not any(name.startswith("llama.cpp") for name in names):
        return names, None
    try:
        return names, Program.find().name
    except NoLlamaCpp as error:
        print(f"without llama.cpp: {error}")
        return [name for name in names if not name.startswith("llama.cpp")], None


def measure(engine: Contestant, vocab: int, samples: Samples) -> Iterator[None]:
    """Yields a sample of each measure; pauses after each, so that others can be measured in
    between.
    """

    def fresh(count: int) -> list[int]:
        return random.choices(range(8, vocab), k=count)

    ids = fresh(_PROMPT)
    cold = engine.run(ids, _DECODED)
    samples["prompt"].append(_PROMPT / cold.first)
    samples["prompt_cpu"].append(cold.first_busy * 1e3)
    samples["decode"].append((_DECODED - 1) / cold.rest)
    samples["decode_cpu"].append(cold.rest_busy * 1e3 / (_DECODED - 1))
    yield
    # Each goes on from the same prompt: the state of it is what the engine has kept.
    for name, new, tokens in (("tail_1", 8, 1), ("tail_16", 8, 16), ("key", 2, 8)):
        run = engine.run([*ids, *fresh(new)], tokens)
        samples[name].append(run.wall * 1e3)
        if name == "key":
            samples["key_cpu"].append(run.busy * 1e3)
        yield
    engine.verify(ids, fresh(1))  # some have to run the prompt again for it
    yield
    for count in DRAFTS:
        seconds = engine.verify(ids, fresh(count))
        if seconds is not None:
            samples[f"verify_{count}"].append(seconds * 1e3)
        yield


def compare(
    bundle: ModelBundle, names: list[str], threads: list[int], rounds: int
) -> tuple[dict[str, Samples], Samples]:
    """Samples by contestant and threads, as in "onnx, 2 threads"; and each one's bounds.

    A bound is in tokens per second: the bandwidth, measured in the same round over as many bytes
    as the contestant reads for a token, over those bytes.
    """
    decoder = bundle.manifest.decoder
    samples: dict[str, Samples] = {}
    bounds: Samples = defaultdict(list)
    with ExitStack() as stack:
        opened = {}
        for count, name in itertools.product(threads, names):
            label = f"{name}, {count} {'thread' if count == 1 else 'threads'}"
            engine = stack.enter_context(contestant(bundle, name, count))
            held = _PROMPT + _DECODED // 2
            size = bytes_per_token(name, decoder, held, engine.bytes_of_a_number)
            opened[label] = (engine, count, size)
            samples[label] = defaultdict(list)
            list(measure(engine, decoder.vocab, defaultdict(list)))  # first runs allocate
        for _ in range(rounds):
            for label, (_, count, size) in opened.items():
                bounds[label].append(bandwidth(count, size) / size)
            turns = [
                measure(engine, decoder.vocab, samples[label])
                for label, (engine, *_) in opened.items()
            ]
            for turn in itertools.cycle(turns):
                time.sleep(_PAUSE)
                if next(turn, turns) is turns:
                    break
    return samples, bounds


def ratios(samples: dict[str, Samples], base: str) -> dict[str, dict[str, float]]:
    """Returns how many times as fast as `base` each is, by the median of the rounds' own ratios."""
    found: dict[str, dict[str, float]] = {}
    for name, own in samples.items():
        found[name] = {}
        for measure_ in MEASURES:
            if not (own[measure_] and samples[base][measure_]):
                continue
            pairs = zip(own[measure_], samples[base][measure_], strict=True)
            ratio = statistics.median(mine / theirs for mine, theirs in pairs)
            found[name][measure_] = round(ratio if measure_ in RATES else 1 / ratio, 2)
    return found


def shares(samples: dict[str, Samples], bounds: Samples) -> dict[str, float]:
    """Returns decoding as a share of the bound, each at its best: other load takes from both."""
    return {name: round(max(own["decode"]) / max(bounds[name]), 2) for name, own in samples.items()}


def draw(path: Path, figures: dict[str, Any], base: str) -> None:
    """Draws the ratios: a group of bars for each measure, a panel for each model."""
    rows = -(-len(figures) // 2)
    with picture(path, panels=len(figures), size=(5.5, 3.4), margin=0.1 / rows) as (plot, axes):
        for axis, (shape, found) in zip(axes, figures.items(), strict=True):
            shown = found["times_as_fast"]
            for place, (name, row) in enumerate(shown.items()):
                positions = [number + place / (len(shown) + 1) for number in range(len(DRAWN))]
                heights = [row.get(it, 0) for it in DRAWN]  # some engines cannot be asked to verify
                axis.bar(positions, heights, 1 / (len(shown) + 1), label=name)
            axis.axhline(1, color="grey", linewidth=0.8)
            middles = [number + 0.4 for number in range(len(DRAWN))]
            axis.set_xticks(middles, DRAWN, rotation=35, ha="right")
            axis.set_title(f"{shape}, {found['parameters'] / 1e6:.0f} M", fontsize=10)
        for axis in axes[::2]:
            axis.set_ylabel(f"times as fast as\n{base}", fontsize=8)
        handles, labels = axes[0].get_legend_handles_labels()
        plot.legend(handles, labels, loc="lower center", ncols=len(labels), fontsize=8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shapes", nargs="*", default=["embedded", "46m"], choices=("embedded", *SHAPES)
    )
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), help='also "onnx int8-32"')
    parser.add_argument("--threads", nargs="*", type=int, default=[1])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--name", default="engine", help="of the files in benchmarks/results")
    args = parser.parse_args()
    engines, program = available(args.engines)
    figures = {}
    for shape, bundle in bundles(args.shapes):
        samples, bounds = compare(bundle, engines, args.threads, args.rounds)
        base = next((name for name in samples if name.startswith("llama.cpp")), next(iter(samples)))
        found, of_bound = ratios(samples, base), shares(samples, bounds)
        figures[shape] = {
            "parameters": bundle.manifest.parameters,
            "times_as_fast": found,
            "share_of_bound": of_bound,
            "medians": {
                name: {
                    **{it: record.spread(values) for it, values in own.items() if values},
                    "bound": record.spread(bounds[name]),
                }
                for name, own in samples.items()
            },
        }
        millions = bundle.manifest.parameters / 1e6
        print(f"{shape}, {millions:.0f} M: times as fast as {base} (medians)")
        for name, row in found.items():
            cells = (
                f"{it} {row[it]:.2f} ({statistics.median(samples[name][it]):.1f})"
                for it in row
                if it in DRAWN
            )
            print(
                f"  {name:25}", "  ".join(cells), f" of the bound {of_bound[name]:.2f}", flush=True
            )
    versions = {name: metadata.version(name) for name in ("ctranslate2", "onnxruntime")}
    command = f"python -m benchmarks.engine --shapes {' '.join(args.shapes)} --rounds {args.rounds}"
    told = {"shapes": figures, "base": base, "llama.cpp": program, "versions": versions}
    path = record.write(args.name, told, command)
    draw(path.with_suffix(".svg"), figures, base)


if __name__ == "__main__":
    main()
