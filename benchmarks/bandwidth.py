"""Measures how fast this machine reads memory, and what that allows an engine.

    python -m benchmarks.bandwidth [--threads 1 2]

Decoding a token reads every matrix and all keys and values once, whatever the engine; so bandwidth
over those bytes bounds the tokens per second.  A working set that fits into a processor's cache is
read faster than memory, so the probe reads one of the same size, again and again.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from model_runtime.models.decoder import EMBEDDING, DecoderSpec

_SECONDS = 0.04
"""Shortest time of one probe."""
BYTES_PER_WEIGHT = {
    "ctranslate2": 1.0,
    "onnx": 1 + 4 / 128,
    "onnx int8-32": 1 + 4 / 32,
    "onnx int4-128": 1 / 2 + 4 / 128,
    "onnx int4-32": 1 / 2 + 4 / 32,
    "llama.cpp q8_0": 34 / 32,
    "llama.cpp q4_0": 18 / 32,
}
"""Bytes of a weight, with its share of a block's scale."""


def bandwidth(threads: int, size: int) -> float:
    """Returns the bytes per second that so many threads read together, of `size` bytes in turns.

    The kernel is numpy's maximum, which reads and keeps nothing else.
    """
    parts = _parts(threads, size)
    passes, started = 0, time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(np.max, parts))
        started = time.perf_counter()
        while time.perf_counter() - started < _SECONDS:
            list(pool.map(np.max, parts))
            passes += 1
        seconds = time.perf_counter() - started
    return passes * sum(part.nbytes for part in parts) / seconds


@cache
def _parts(threads: int, size: int) -> list[np.ndarray]:
    return [np.ones(size // 4 // threads, np.float32) for _ in range(threads)]


def bytes_per_token(name: str, decoder: DecoderSpec, held: int, bytes_of_a_number: int) -> int:
    """Returns the bytes that decoding one token reads.

    Args:
        name: name of the contestant, as in `BYTES_PER_WEIGHT`.
        decoder: the model's forward pass.
        held: number of tokens whose keys and values are in the cache.
        bytes_of_a_number: bytes of a key or value: 4 for float32, 2 for float16.
    """
    shapes = decoder.tensor_shapes()
    sizes = (math.prod(shape) for shape in shapes.values() if len(shape) == 2)
    # Of an embedding that is not the output matrix one row is read.
    matrices = sum(sizes) - (0 if decoder.tied else math.prod(shapes[EMBEDDING]))
    kept = held * decoder.kv_bytes_per_token(bytes_of_a_number)
    return int(matrices * BYTES_PER_WEIGHT[name]) + kept


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    for threads in parser.parse_args().threads:
        for megabytes in (1, 8, 32, 128, 512):
            best = max(bandwidth(threads, megabytes * 2**20) for _ in range(5))
            print(f"{threads} threads, {megabytes:4} MB: {best / 1e9:6.1f} GB/s", flush=True)


if __name__ == "__main__":
    main()
