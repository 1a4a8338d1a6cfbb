"""The engines side by side, interleaved: prompts, decoding, and keys with a cached prompt.

    python -m benchmarks.engine [--shapes embedded 34m 162m] [--threads 1 2] [--rounds 7]

embedded is the model in the package; the others are shapes with random weights, stored as int8
(speed does not depend on the values).  Each round runs every engine once, one after the other, so
what else the machine does meets all of them: trust the ratios, not the figures of two runs.

    prompt    ids per second of a prompt of 512 ids, nothing of it cached
    decode    ids per second after it
    tail_1    milliseconds from 8 new ids on a cached prompt of 512 to the first token
    tail_16   the same to the sixteenth token
    key       milliseconds from 2 new ids to the eighth token: what a typist waits for
    *_cpu     milliseconds of processor time, of the prompt, of a decoded token and of a key: what
              an engine takes from the other programs, and steadier when those are busy

`share_of_bound` compares decoding with what memory allows: each token reads all weights (a byte
each) and the float32 keys and values of the text, at a bandwidth that is measured in the same
rounds.  It means little for a model that fits into the processor's cache, as the embedded one.
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np

from benchmarks import record
from benchmarks.make_random_neox import Variant, fim_config, train_tokenizer, write_folder
from model_runtime import catalogue, derived
from model_runtime.bundle import ModelBundle
from model_runtime.convert import convert_folder
from model_runtime.engine import Engine, SamplingParams
from model_runtime.engines import open_engine
from model_runtime.engines.onnx_engine import OnnxEngine

SHAPES = {
    "34m": Variant(layers=8, hidden=512, heads=8, vocab=8192, positions=1024),
    "162m": Variant(layers=12, hidden=768, heads=12, vocab=50280, positions=1024),
    "1.3b": Variant(layers=24, hidden=2048, heads=16, vocab=50280, positions=1024),
}
ENGINES = ("ctranslate2", "onnx", "onnx int8-32")
RATES = ("prompt", "decode")
"""More is faster; of the other measures less is."""
MEASURES = (*RATES, "tail_1", "tail_16", "key", "prompt_cpu", "decode_cpu", "key_cpu")

_PROMPT = 512
_DECODED = 32
_PAUSE = 0.3
"""Seconds between two engines, so that threads of the first one have stopped spinning."""

Samples = dict[str, list[float]]


@contextmanager
def bundles(names: list[str]) -> Iterator[dict[str, ModelBundle]]:
    """The models by name; random ones and their derived forms lie in a temporary folder."""
    with tempfile.TemporaryDirectory() as work:
        derived.user_cache_path = lambda *_, **__: Path(work)  # type: ignore[assignment]
        yield {name: _bundle(name, Path(work)) for name in names}


def _bundle(name: str, work: Path) -> ModelBundle:
    if name == "embedded":
        return catalogue.find("default")
    variant, source = SHAPES[name], work / name / "source"
    write_folder(source, variant)
    train_tokenizer(source / "tokenizer.json", variant.vocab)
    (source / "fim_config.json").write_text(json.dumps(fim_config(variant.positions)))
    convert_folder(source, work / name / "bundle", name=name, quantization="int8")
    return ModelBundle.open(work / name / "bundle")


def times(engine: Engine, ids: list[int], tokens: int) -> list[tuple[float, float]]:
    """Seconds from the request to each of so many tokens, on the wall and on the processors."""
    wall, busy = time.perf_counter(), time.process_time()
    with engine.generate(ids, SamplingParams(tokens, frozenset())) as stream:
        return [(time.perf_counter() - wall, time.process_time() - busy) for _ in stream]


def measure(engine: Engine, vocab: int, samples: Samples) -> None:
    """One sample of each measure."""
    ids = random.choices(range(8, vocab), k=_PROMPT)
    cold = times(engine, ids, _DECODED)
    samples["prompt"].append(_PROMPT / cold[0][0])
    samples["prompt_cpu"].append(cold[0][1] * 1e3)
    samples["decode"].append((_DECODED - 1) / (cold[-1][0] - cold[0][0]))
    samples["decode_cpu"].append((cold[-1][1] - cold[0][1]) * 1e3 / (_DECODED - 1))
    # Each goes on from the same prompt: the state of it is what the engine has kept.
    for name, new, tokens in (("tail_1", 8, 1), ("tail_16", 8, 16), ("key", 2, 8)):
        tail = random.choices(range(8, vocab), k=new)
        wall, busy = times(engine, [*ids, *tail], tokens)[-1]
        samples[name].append(wall * 1e3)
        if name == "key":
            samples["key_cpu"].append(busy * 1e3)


def open_named(bundle: ModelBundle, name: str, threads: int) -> Engine:
    """An engine, or the ONNX engine with another number type, as in "onnx int8-32"."""
    engine, _, kind = name.partition(" ")
    if kind:
        return OnnxEngine.open(bundle, threads=threads, kind=kind)
    return open_engine(bundle, engine=engine, threads=threads)


def bandwidth(threads: int) -> float:
    """Bytes per second that so many threads read together, each its own 64 MB."""
    parts = [np.ones(2**24, np.float32) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(np.max, parts))
        started = time.perf_counter()
        list(pool.map(np.max, parts))
        return sum(part.nbytes for part in parts) / (time.perf_counter() - started)


def shares(
    bundle: ModelBundle, samples: dict[str, Samples], read: dict[int, list[float]]
) -> dict[str, float]:
    """Decoding as a share of what the bandwidth would allow, medians."""
    architecture = bundle.manifest.architecture
    size = architecture.count_parameters() + architecture.kv_bytes(_PROMPT + _DECODED // 2)
    return {
        name: round(
            statistics.median(own["decode"])
            * size
            / statistics.median(read[int(name.split(", ")[1].split()[0])]),
            2,
        )
        for name, own in samples.items()
    }


def compare(
    bundle: ModelBundle, engines: list[str], threads: list[int], rounds: int
) -> tuple[dict[str, Samples], dict[int, list[float]]]:
    """Samples by engine and threads, as in "onnx, 2 threads", and of the bandwidth by threads."""
    opened = {
        f"{name}, {count} {'thread' if count == 1 else 'threads'}": open_named(bundle, name, count)
        for count, name in itertools.product(threads, engines)
    }
    samples: dict[str, Samples] = {name: defaultdict(list) for name in opened}
    vocab = bundle.manifest.architecture.vocab
    for engine in opened.values():
        measure(engine, vocab, defaultdict(list))  # first runs allocate
    read: dict[int, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for count in threads:
            read[count].append(bandwidth(count))
        for name, engine in opened.items():
            time.sleep(_PAUSE)
            measure(engine, vocab, samples[name])
    for engine in opened.values():
        engine.close()
    return samples, read


def ratios(samples: dict[str, Samples], base: str) -> dict[str, dict[str, float]]:
    """How many times as fast as `base`, by the median of the rounds' own ratios."""
    found: dict[str, dict[str, float]] = {}
    for name, own in samples.items():
        found[name] = {}
        for measure_ in MEASURES:
            pairs = zip(own[measure_], samples[base][measure_], strict=True)
            quotients = [mine / theirs for mine, theirs in pairs]
            ratio = statistics.median(quotients)
            found[name][measure_] = round(ratio if measure_ in RATES else 1 / ratio, 2)
    return found


def draw(path: Path, figures: dict[str, dict[str, dict[str, dict[str, float]]]]) -> None:
    """A picture of the ratios: a group of bars for each measure, a panel for each model."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "fim-lsp"
    from matplotlib import pyplot

    plot, axes = pyplot.subplots(1, len(figures), figsize=(5 * len(figures), 3.6), squeeze=False)
    for axis, (shape, found) in zip(axes[0], figures.items(), strict=True):
        shown = found["times_as_fast"]
        for place, (name, row) in enumerate(shown.items()):
            positions = [number + place / (len(shown) + 1) for number in range(len(MEASURES))]
            axis.bar(positions, [row[it] for it in MEASURES], 1 / (len(shown) + 1), label=name)
        axis.axhline(1, color="grey", linewidth=0.8)
        axis.set_xticks([number + 0.3 for number in range(len(MEASURES))], MEASURES)
        axis.set_title(shape)
    axes[0][0].set_ylabel("times as fast as the first")
    axes[0][0].legend(fontsize=8)
    plot.tight_layout()
    plot.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shapes", nargs="*", default=["embedded", "34m"], choices=("embedded", *SHAPES)
    )
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), help='also "onnx int8-32"')
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    figures = {}
    with bundles(args.shapes) as opened:
        for shape, bundle in opened.items():
            samples, read = compare(bundle, args.engines, args.threads, args.rounds)
            found = ratios(samples, next(iter(samples)))
            figures[shape] = {
                "parameters": bundle.manifest.parameters,
                "times_as_fast": found,
                "share_of_bound": shares(bundle, samples, read),
                "bandwidth_gb_per_s": {
                    count: record.spread([value / 1e9 for value in values])
                    for count, values in read.items()
                },
                "medians": {
                    name: {it: record.spread(values) for it, values in own.items()}
                    for name, own in samples.items()
                },
            }
            print(f"{shape}, {bundle.manifest.parameters / 1e6:.0f} M: times as fast (median)")
            for name, row in found.items():
                cells = (
                    f"{it} {row[it]:.2f} ({statistics.median(samples[name][it]):.1f})"
                    for it in MEASURES
                )
                print(f"  {name:24}", "  ".join(cells), flush=True)
    versions = {name: metadata.version(name) for name in ("ctranslate2", "onnxruntime")}
    command = f"python -m benchmarks.engine --shapes {' '.join(args.shapes)}"
    path = record.write("engine", {"shapes": figures, "versions": versions}, command)
    draw(path.with_suffix(".svg"), figures)


if __name__ == "__main__":
    main()
