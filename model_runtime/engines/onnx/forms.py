"""Chooses the forms of a model's weights that are loaded: one to read with, one to write with.

Products of 8 bits with a scale for a row (`row_products`) read long passes faster than blocks of 8
bits do (`block_quantization`); which of them writes single ids faster depends on the processor.
So both are measured once with the model, and remembered in the user's cache.  Two forms share the
keys and values of a text, and each has its own copy of the weights: where memory is short, blocks
do both.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from model_runtime.engines.artifact_cache import artifact_folder
from model_runtime.engines.onnx.file import DECODER, model_path
from model_runtime.engines.onnx.matrices import SIGNED_ROWS, UNSIGNED_ROWS
from model_runtime.engines.onnx.overflow import overflows
from model_runtime.engines.onnx.session import Buffers, open_session, run_options
from model_runtime.engines.threads import LARGE_WEIGHTS
from model_runtime.errors import EngineUnavailable
from model_runtime.hardware import machine_facts
from model_runtime.measurements import measurement_file, remember, remembered
from model_runtime.memory import available_memory
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import DecoderSpec
from model_runtime.progress import step
from model_runtime.telemetry import import_silenced

onnxruntime = import_silenced("onnxruntime")

logger = logging.getLogger(__name__)

BLOCKS = "int8-128"
"""Number type of bundles with int8 weights where nothing is measured."""
_LENGTHS = (1, 4, 16, 32)
"""Ids of the passes that are measured."""
_ROUNDS = 3
_CLEARLY = 0.95
"""A form is faster where it takes at most this part of the time."""
_SHARE = 4
"""A second form takes at most this part of the memory that is free."""


class Forms(NamedTuple):
    """Names the forms that are loaded, by the number types of `matrices.KINDS`."""

    writing: str
    """Runs passes of few ids, and gives the output head."""
    reading: str = ""
    """Runs the longer ones; empty where one form does both."""
    reading_from: int = 0
    """Ids of the shortest pass that the second form runs."""
    id_seconds: float = 0.0
    """Time of an id in a long pass, as it was measured; 0 where nothing was."""


class Seconds(NamedTuple):
    """Holds what a pass takes in each form."""

    blocks: float
    rows: float


def form_folder(bundle: ModelBundle, kind: str, *, anew: bool = False) -> Path:
    """Returns the folder with the graphs of a bundle in one number type; derives it at first.

    Raises:
        BundleError: the weights are damaged.
        EngineUnavailable: the graph cannot compute this kind of decoder.
    """

    def build(folder: Path) -> None:
        from model_runtime.engines.onnx.folder import write_onnx_folder

        write_onnx_folder(bundle, folder, kind)

    version = onnxruntime.__version__
    return artifact_folder(bundle, kind=f"onnx-{kind}", version=version, build=build, anew=anew)


def chosen_forms(
    bundle: ModelBundle,
    threads: int,
    *,
    min_weights: int = LARGE_WEIGHTS,
    free: int | None = None,
) -> Forms:
    """Returns the forms for a bundle with int8 weights, as they are fastest on this machine.

    Args:
        bundle: the model.
        threads: threads that share each operator.
        min_weights: weights of the smallest model that is measured; smaller ones read fast in any
            form.
        free: bytes of memory that can be had; by default those of this machine or container.

    Raises:
        BundleError: the weights are damaged.
        EngineUnavailable: ONNX Runtime cannot load the graphs here.
    """
    spec = bundle.manifest.decoder
    if spec.count_parameters() < min_weights:
        return Forms(BLOCKS)
    path = forms_file(bundle, threads)
    free = available_memory() if free is None else free
    has_room = _layer_weights(spec) * _SHARE <= free
    times = remembered(path, _parsed)
    if times is None and not has_room:  # to measure them takes both
        return Forms(BLOCKS)
    try:
        by_rows = row_kind()
        if times is None:
            with step(f"measuring {bundle.manifest.name} in two forms, once"):
                times = _measured(bundle, (BLOCKS, by_rows), threads)
            remember(path, {str(length): list(seconds) for length, seconds in times.items()})
    except OSError as error:
        logger.warning("no second form of the weights can be written (%s)", error)
        return Forms(BLOCKS)
    forms = fastest_forms(times, by_rows, has_room=has_room)
    longest = max(times)
    of_it = times[longest].blocks if forms == Forms(BLOCKS) else times[longest].rows
    forms = forms._replace(id_seconds=of_it / longest)
    logger.info("%s reads and writes with %s: %s", bundle.manifest.name, forms, times)
    return forms


def forms_file(bundle: ModelBundle, threads: int) -> Path:
    """Returns the file that remembers how fast the forms of a bundle are with so many threads."""
    facts = {
        "weights": bundle.manifest.weights.sha256,
        "version": onnxruntime.__version__,
        "threads": threads,
        **machine_facts(),
    }
    return measurement_file("forms", facts)


def row_kind() -> str:
    """Returns the number type with a scale for a row that this processor multiplies exactly.

    Raises:
        EngineUnavailable: ONNX Runtime cannot load a product here.
        OSError: no temporary folder can be written.
    """
    return UNSIGNED_ROWS if overflows() else SIGNED_ROWS


def fastest_forms(times: Mapping[int, Seconds], by_rows: str, *, has_room: bool) -> Forms:
    """Returns the forms that take least time, without a word on how long that is.

    Args:
        times: seconds of a pass by its ids; of a single one, too.
        by_rows: the number type with a scale for a row.
        has_room: whether there is memory for both.
    """
    if times[1].rows * _CLEARLY <= times[1].blocks:
        longer = [seconds for length, seconds in times.items() if length > 1]
        if all(seconds.rows <= seconds.blocks for seconds in longer):
            return Forms(by_rows)
    reading_from = 0
    for length in sorted(times, reverse=True):
        if times[length].rows > _CLEARLY * times[length].blocks:
            break
        reading_from = length
    if not reading_from or not has_room:
        return Forms(BLOCKS)
    return Forms(BLOCKS, by_rows, reading_from)


def _layer_weights(spec: DecoderSpec) -> int:
    """Returns the weights that a second form has in memory, each a byte: those of the layers."""
    return spec.count_parameters() - spec.vocab * spec.hidden * (1 if spec.tied else 2)


def _measured(bundle: ModelBundle, kinds: tuple[str, str], threads: int) -> dict[int, Seconds]:
    """Runs passes in both forms by turns; keeps the least time, for other programs add to it."""
    spec = bundle.manifest.decoder
    timers = [_timer(bundle, spec, kind, threads) for kind in kinds]
    times: dict[int, Seconds] = {}
    lengths = [length for length in _LENGTHS if length <= bundle.manifest.context_length]
    for length in lengths:
        rounds = [[timer(length) for timer in timers] for _ in range(_ROUNDS + 1)]
        blocks, rows = zip(*rounds[1:], strict=True)
        times[length] = Seconds(min(blocks), min(rows))
    return times


def _timer(bundle: ModelBundle, spec: DecoderSpec, kind: str, threads: int) -> Any:
    """Loads a form; returns what gives the seconds of a pass of so many ids."""
    try:
        session = open_session(model_path(form_folder(bundle, kind), DECODER), threads)
    except EngineUnavailable:  # the files may have been damaged since they were written
        folder = form_folder(bundle, kind, anew=True)
        session = open_session(model_path(folder, DECODER), threads)
    text, options = Buffers([session], spec, max(_LENGTHS)), run_options()

    def seconds(length: int) -> float:
        text.bind(0, [place * 7919 % spec.vocab for place in range(length)], 1)
        started = time.perf_counter()
        session.run_with_iobinding(text.bindings[0], options)
        return time.perf_counter() - started

    return seconds


def _parsed(content: dict[str, Any]) -> dict[int, Seconds]:
    """Returns times that were remembered; raises what `remembered` takes for damage."""
    times = {
        int(length): Seconds(float(blocks), float(rows))
        for length, (blocks, rows) in content.items()
    }
    times[1]
    return times
