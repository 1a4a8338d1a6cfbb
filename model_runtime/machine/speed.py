"""Measures how fast this machine runs an engine's products: in about a second, and remembers it.

    <cache>/fim-lsp/machine/<key>.json

The products are those of the engine that runs most models (`product_probe`): one row at a time they
take as long as reading the weights does, many rows at a time as long as multiplying.  Both figures
come of one program that is shaped like a model, so they contain what the engine loses on the way.
Without that engine numpy's products say something less exact.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_runtime.engines import registry
from model_runtime.engines.threads import LARGE_WEIGHTS, usable_threads
from model_runtime.errors import EngineUnavailable
from model_runtime.hardware import machine_facts
from model_runtime.measurements import measurement_file, remember, remembered
from model_runtime.progress import advance, step

logger = logging.getLogger(__name__)

_MAX_THREADS = 8
_ROWS = 32
"""Rows of the products that tell the speed of multiplying: ids of a short prompt."""
_SINGLES = 4
"""Rounds of one row for each round of many."""
_SECONDS = 0.5
_MIN_ROUNDS = 5
_BUSY = 0.85
"""Share of a core that a thread must have had, or other programs had the rest."""
_VERSION = 2
"""Number of the way of measuring; raise it when that changes."""


@dataclass(frozen=True, slots=True)
class MachineSpeed:
    """Holds what an engine reaches on this machine."""

    bandwidth: float
    """Bytes of weights a second that decoding one id after the other reads."""
    flops: float
    """Operations a second, two for each multiply-add, while many ids are read at once."""
    threads: int
    """Threads that an engine takes for a large model here, by which this was measured."""
    row_bandwidth: float = 0.0
    """The same as `bandwidth` with a scale for a row in place of blocks; 0 where not measured."""
    row_flops: float = 0.0
    """The same as `flops`, in that form."""
    is_busy: bool = False
    """Whether other programs took processor time meanwhile, so that it may be too slow."""


def measured_speed(*, threads: int = 0, anew: bool = False) -> MachineSpeed:
    """Returns the speed of this machine; measures where it is not known yet.

    A busy machine's is not remembered.

    Args:
        threads: as the setting of that name; 0 for what an engine chooses.
        anew: measures also what is remembered.
    """
    number = usable_threads(threads, _MAX_THREADS, weights=LARGE_WEIGHTS)
    path = speed_file(number)
    if not anew and (known := remembered(path, _parsed)) is not None:
        return known
    with step("measuring this machine"):
        try:
            speed = _measure(_onnx_products(number), number)
            by_rows = _measure(_onnx_products(number, by_rows=True), number)
            speed = replace(
                speed,
                row_bandwidth=by_rows.bandwidth,
                row_flops=by_rows.flops,
                is_busy=speed.is_busy or by_rows.is_busy,
            )
        except (ImportError, EngineUnavailable, OSError) as error:
            logger.warning("measuring with numpy, for ONNX Runtime does not run here: %s", error)
            speed = _measure(_numpy_products(), number)
    if not speed.is_busy:
        remember(path, asdict(speed))
    return speed


def speed_file(threads: int) -> Path:
    """Returns the file that remembers the speed of so many threads."""
    engine = registry.PREDICTED
    version = registry.find(engine).version
    facts = {"method": _VERSION, "threads": threads, engine: version, **machine_facts()}
    return measurement_file("machine", facts)


@dataclass(frozen=True, slots=True)
class _Products:
    """Products that can be timed, and how large they are."""

    seconds: Callable[[int], float]
    """Takes the rows, and returns how long the products take."""
    weights: int
    bytes: int


def _onnx_products(threads: int, *, by_rows: bool = False) -> _Products:
    from model_runtime.engines.onnx.product_probe import WEIGHTS, ProductProbe

    return _Products(ProductProbe(threads, by_rows=by_rows).seconds, WEIGHTS, WEIGHTS)


def _numpy_products() -> _Products:
    import numpy as np

    matrix = np.ones((4096, 4096), np.float32)

    def seconds(rows: int) -> float:
        x = np.ones((rows, 4096), np.float32)
        started = time.perf_counter()
        x @ matrix
        return time.perf_counter() - started

    seconds(1)
    return _Products(seconds, matrix.size, matrix.nbytes)


def _measure(products: _Products, threads: int) -> MachineSpeed:
    """Takes both times of one form in turn for half a second."""
    single, many = _Times(), _Times()
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < _SECONDS or len(many.wall) < _MIN_ROUNDS:
        for _ in range(_SINGLES):
            single.add(products.seconds, 1)
        many.add(products.seconds, _ROWS)
        advance(min(elapsed / _SECONDS / 2, 0.99))
    one, all_rows = single.seconds(threads), many.seconds(threads)
    share = (single.used + many.used) / (sum(single.wall) + sum(many.wall)) / threads
    return MachineSpeed(
        bandwidth=products.bytes / one,
        flops=2 * products.weights * (_ROWS - 1) / max(all_rows - one, all_rows / 10),
        threads=threads,
        is_busy=share < _BUSY,
    )


class _Times:
    """Times of several rounds of the same work."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        """Seconds of each round."""
        self.used = 0.0
        """Processor time of all rounds and threads together."""

    def add(self, work: Callable[[int], float], rows: int) -> None:
        """Takes the time of one round."""
        before = time.process_time()
        self.wall.append(work(rows))
        self.used += time.process_time() - before

    def seconds(self, threads: int) -> float:
        """Returns how long a round takes where nothing else runs.

        That is the lower quartile, for other programs make rounds longer and none shorter; where
        they hardly pause, the processor time that the work itself had says more.
        """
        quartile = sorted(self.wall)[len(self.wall) // 4]
        used = self.used / len(self.wall) / threads
        return min(quartile, used) if used > 0 else quartile


def _parsed(content: dict[str, Any]) -> MachineSpeed:
    speed = MachineSpeed(**content)
    positive = (speed.bandwidth, speed.flops, speed.threads)
    for value in (*positive, speed.row_bandwidth, speed.row_flops):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{value!r} is no number")
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{value!r} is no speed")
    if not all(positive):
        raise ValueError("a speed is zero")
    return speed
