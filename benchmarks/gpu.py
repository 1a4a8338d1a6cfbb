"""PyTorch on a GPU: decoding against the memory's bandwidth, a short tail, and plain transformers.

    python -m benchmarks.gpu                                   the card's 24 x 2048, on a GPU
    python -m benchmarks.gpu --device cpu --shape 34m --cached 256 --rounds 1    a try without one

Weights are random; speed does not depend on them.  Each round runs every way once, in turn.

    decode_ms       milliseconds for an id, --cached ids before it
    share_of_bound  of decoding: bytes of the matrices and of the text's keys and values, over the
                    bandwidth that a copy on the device reaches in the same rounds
    tail_ms         milliseconds from 8 new ids on --cached cached ones to the first token
    transformers    `generate` of transformers on the same weights in bfloat16 (float32 on a
                    processor), with its own cache: nothing of the tail's text is kept between calls
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import defaultdict
from dataclasses import replace
from importlib import metadata
from typing import Any

import torch

from benchmarks import record
from benchmarks.engine import SHAPES, Samples, bundles
from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.torch.engine import TorchEngine
from model_runtime.engines.torch.network import KINDS
from model_runtime.models.bundle import ModelBundle

DECODED = 64
TAIL = 8


def bandwidth(device: str) -> float:
    """Returns the bytes per second of reading and writing in a copy."""
    source = torch.ones(2**28 if device == "cuda" else 2**24, device=device)
    target = torch.empty_like(source)
    for _ in range(2):
        _wait(device)
        started = time.perf_counter()
        target.copy_(source)
        _wait(device)
    return 2 * source.nbytes / (time.perf_counter() - started)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def ours(engine: TorchEngine, ids: list[int], samples: Samples) -> None:
    """Returns a sample of each measure; `ids` may be cached or not, the tail is new."""
    vocab = engine._vocab
    list(engine.generate(ids, SamplingParams(1, frozenset())))
    started = time.perf_counter()
    with engine.generate(ids, SamplingParams(DECODED + 1, frozenset())) as stream:
        next(stream)
        started = time.perf_counter()
        count = len(list(stream))
    samples["decode_ms"].append((time.perf_counter() - started) * 1e3 / count)
    tail = random.choices(range(8, vocab), k=TAIL)
    started = time.perf_counter()
    with engine.generate([*ids, *tail], SamplingParams(1, frozenset())) as stream:
        next(stream)
    samples["tail_ms"].append((time.perf_counter() - started) * 1e3)


class Transformers:
    """The same shape in plain transformers."""

    def __init__(self, bundle: ModelBundle, device: str) -> None:
        from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

        a = bundle.manifest.decoder
        config = GPTNeoXConfig(
            vocab_size=a.vocab,
            hidden_size=a.hidden,
            num_hidden_layers=a.layers,
            num_attention_heads=a.heads,
            intermediate_size=a.intermediate,
            max_position_embeddings=bundle.manifest.context_length,
            tie_word_embeddings=a.tied,
            bos_token_id=None,
            eos_token_id=None,
        )
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        self._model: Any = GPTNeoXForCausalLM(config).to(device, dtype).eval()
        self._vocab, self._device = a.vocab, device

    def _seconds(self, ids: list[int], count: int) -> float:
        prompt = torch.tensor([ids], device=self._device)
        _wait(self._device)
        started = time.perf_counter()
        with torch.inference_mode():
            self._model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=count,
                min_new_tokens=count,
                do_sample=False,
                pad_token_id=0,
            )
        _wait(self._device)
        return time.perf_counter() - started

    def measure(self, ids: list[int], samples: Samples) -> None:
        first = self._seconds(ids, 1)
        samples["decode_ms"].append((self._seconds(ids, DECODED + 1) - first) * 1e3 / DECODED)
        tail = random.choices(range(8, self._vocab), k=TAIL)
        samples["tail_ms"].append(self._seconds([*ids, *tail], 1) * 1e3)


def measure(bundle: ModelBundle, args: argparse.Namespace) -> dict[str, Any]:
    """Returns all figures of one shape."""
    engines = {kind: TorchEngine.open(bundle, device=args.device, kind=kind) for kind in args.kinds}
    plain = Transformers(bundle, args.device)
    samples: dict[str, Samples] = {name: defaultdict(list) for name in (*engines, "transformers")}
    read: list[float] = []
    drawn = random.Random(7)
    for number in range(args.rounds + 2):  # the first two set up kernels and record graphs
        found = samples if number > 1 else {name: defaultdict(list) for name in samples}
        ids = [drawn.randrange(8, bundle.manifest.decoder.vocab) for _ in range(args.cached)]
        read.append(bandwidth(args.device))
        for name, engine in engines.items():
            ours(engine, ids, found[name])
        plain.measure(ids, found["transformers"])
    figures: dict[str, Any] = {
        name: {it: record.spread(values) for it, values in own.items()}
        for name, own in samples.items()
    }
    speed = statistics.median(read)
    for name, engine in engines.items():
        network = engine._network
        row = bundle.manifest.decoder.kv_bytes_per_token(network.dtype.itemsize)
        size = network.weight_bytes + row * (args.cached + DECODED // 2)
        decode = statistics.median(samples[name]["decode_ms"]) / 1e3
        figures[name]["share_of_bound"] = round(size / speed / decode, 3)
        engine.close()
    figures["bandwidth_gb_per_s"] = record.spread([value / 1e9 for value in read])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--shape", default="1.3b", choices=tuple(SHAPES))
    parser.add_argument("--kinds", nargs="*", default=["bfloat16", "int8"], choices=KINDS)
    parser.add_argument("--cached", type=int, default=1024, help="ids before a token or a tail")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device; try it with --device cpu --shape 34m")
    room = args.cached + TAIL + DECODED + 1
    SHAPES[args.shape] = replace(SHAPES[args.shape], positions=-(-room // 256) * 256)
    with bundles([args.shape]) as opened:
        figures = measure(opened[args.shape], args)
    for name, row in figures.items():
        print(f"  {name:20}", row)
    if args.device == "cuda":
        figures["gpu"] = torch.cuda.get_device_name()
        figures["versions"] = {name: metadata.version(name) for name in ("torch", "transformers")}
        record.write("gpu", figures, f"python -m benchmarks.gpu --shape {args.shape}")


if __name__ == "__main__":
    main()
