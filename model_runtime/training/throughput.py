"""Measures how much of a device's arithmetic a run uses.

    MFU = tokens per second x FLOPs per token / (processes x peak)

(PaLM, arXiv:2204.02311, appendix B; FLOPs per token: `network.flops_per_token`.)  Peaks are those
of dense bfloat16 products in the makers' data sheets; an unknown device is measured.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

PEAK_TFLOPS = {
    "B200": 2250.0,
    "H200": 989.4,
    "H100 NVL": 835.0,
    "H100 PCIe": 756.0,
    "H100": 989.4,
    "A100": 311.9,
    "MI300X": 1307.4,
    "L40S": 362.1,
    "L40": 181.0,
    "L4": 121.0,
    "RTX A6000": 154.8,
    "RTX 4090": 165.2,
    "RTX 3090": 71.0,
}
"""Part of the name that torch gives -> peak; the first that fits counts."""
MAX_SECONDS = 0.5
"""Time after which a peak is no longer measured: without instructions for bfloat16 a single product
takes more than a second."""


class Peak(NamedTuple):
    """The most floating-point operations per second of one device."""

    flops: float
    source: str
    """`data sheet`, or `measured`: the best of some products of square matrices."""


def peak_of(device: torch.device, dtype: torch.dtype) -> Peak:
    """Returns the peak of a device; half a second or a product where it must be measured."""
    if device.type == "cuda" and dtype is torch.bfloat16:
        known = data_sheet(torch.cuda.get_device_name(device))
        if known is not None:
            return Peak(known * 1e12, "data sheet")
    return Peak(measure(device, dtype), "measured")


def data_sheet(name: str) -> float | None:
    """Returns the peak in TFLOP/s of an accelerator by its name; None if it is not in the table."""
    return next((tflops for part, tflops in PEAK_TFLOPS.items() if part in name), None)


def measure(device: torch.device, dtype: torch.dtype) -> float:
    """Returns the operations per second of products of two square matrices: the best of twelve, or
    of fewer on a processor that is slow in this type.
    """
    side = 1024 if device.type == "cpu" else 8192
    a = torch.ones(side, side, device=device, dtype=dtype)
    best, until = float("inf"), time.perf_counter() + MAX_SECONDS
    for _ in range(12):
        started = time.perf_counter()
        float((a @ a)[0, 0])  # waits for an accelerator
        ended = time.perf_counter()
        best = min(best, ended - started)
        if ended > until:
            break
    return 2 * side**3 / best
