"""Which engine is fastest on this machine: a short measurement, remembered in the user's cache.

    <cache>/fim-lsp/engines/<key>.json      the figures, and which engine was chosen by them

The key is a hash of the processor, the cores, the weights, the setting of threads and the versions
of all that takes part; a change of any of them is measured again.  The file may be deleted at any
time.  What is measured is a key in an editor: two more ids on a long prompt that is otherwise
cached, or one more character of the line that is typed where the hole begins at its start, and
eight ids decoded.  Only engines for processors take part; PyTorch is far behind them.
A large model, whose forms take long to write, is measured only when that is asked for.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.errors import ModelRuntimeError, shown
from model_runtime.model_files import UnusableFile, read_json
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.format import HoleStart

logger = logging.getLogger(__name__)

PACKAGES = {"onnx": "onnxruntime", "ctranslate2": "ctranslate2"}
"""Engines that are compared, and their packages; unmeasured, the first one is taken."""

_PROMPT_TOKENS = 256
_NEW_TOKENS = 8
_TOKENS_PER_KEY = 2
_KEYS = 8
_LINE = "return value"
"""What is typed on a line."""
_SECONDS = 2.0
"""No further key is measured on an engine after so long; a slow one gets at least one."""
_LARGE_BYTES = 256 * 2**20
"""Weights of more than this are not measured at a start."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one engine does here."""

    engine: str
    key_ms: float = 0.0
    """Time from a key to eight decoded ids; the least of several, for others only add to it."""
    prompt_ms: float = 0.0
    """Time to the first id after a prompt of 256 ids of which nothing is cached."""
    problem: str = ""
    """Why it cannot run here; empty where it can."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The fastest engine, and by which figures; none where only one is installed."""

    engine: str
    speeds: tuple[Speed, ...] = ()


def installed_engines() -> list[str]:
    """Names of those engines for processors whose package is installed."""
    return [engine for engine, package in PACKAGES.items() if _version(package)]


def open_auto_selected(
    bundle: ModelBundle,
    open_engine: Callable[[str], Engine],
    *,
    threads: int = 0,
    anew: bool = False,
) -> tuple[Engine, Choice]:
    """Open the engine that is fastest for this bundle; measure where that is not known yet.

    Args:
        bundle: the model.
        open_engine: opens the engine of a name.
        threads: as the engines are opened; what is fastest may depend on it.
        anew: measure also what is remembered, and large models.

    Raises:
        EngineUnavailable, BundleError: no engine can run the bundle.
    """
    installed = installed_engines()
    if len(installed) < 2:
        choice = Choice(installed[0] if installed else "ctranslate2")
        return open_engine(choice.engine), choice
    path = _place(bundle, threads)
    if not anew and (remembered := _read(path)) is not None:
        try:
            return open_engine(remembered.engine), remembered
        except ModelRuntimeError as error:
            logger.warning("%s was chosen and does not open any more: %s", path, error)
    if not anew and bundle.manifest.weights.size > _LARGE_BYTES:
        return _open_first(open_engine, installed)
    engine, choice = _compare(bundle, open_engine, installed)
    _remember(path, choice)
    return engine, choice


def _open_first(open_engine: Callable[[str], Engine], names: list[str]) -> tuple[Engine, Choice]:
    """The first engine that opens, unmeasured."""
    *others, last = names
    for name in others:
        try:
            return open_engine(name), Choice(name)
        except ModelRuntimeError as error:
            logger.warning("the engine %s does not run here: %s", name, error)
    return open_engine(last), Choice(last)


def _compare(
    bundle: ModelBundle, open_engine: Callable[[str], Engine], names: list[str]
) -> tuple[Engine, Choice]:
    """Measure one after the other, so that no more than one model is in memory."""
    speeds: list[Speed] = []
    failures: list[ModelRuntimeError] = []
    engine = None
    for name in names:
        if engine is not None:
            engine.close()
        try:
            engine = open_engine(name)
            speeds.append(_measure(name, engine, bundle))
        except ModelRuntimeError as error:
            engine = None
            failures.append(error)
            speeds.append(Speed(name, problem=str(error)))
    if len(failures) == len(names):
        raise failures[0]
    fastest = min((speed for speed in speeds if not speed.problem), key=lambda it: it.key_ms)
    logger.info("the engine %s is fastest here: %s", fastest.engine, speeds)
    if engine is None or fastest.engine != names[-1]:
        if engine is not None:
            engine.close()
        engine = open_engine(fastest.engine)
    return engine, Choice(fastest.engine, tuple(speeds))


def _measure(name: str, engine: Engine, bundle: ModelBundle) -> Speed:
    """A cold prompt, and then the keys of someone who types on."""
    vocab = bundle.manifest.architecture.vocab
    is_line = bundle.manifest.prompt.hole_start is HoleStart.LINE
    sampling = SamplingParams(max_tokens=_NEW_TOKENS, stop_ids=frozenset())
    most = engine.context_length - _NEW_TOKENS - _KEYS * _TOKENS_PER_KEY
    length = max(1, min(_PROMPT_TOKENS, most))
    ids = [place * 7919 % vocab for place in range(length + _KEYS * _TOKENS_PER_KEY)]

    def timed(count: int, typed: str = "") -> tuple[float, float]:
        """Milliseconds to the first token and to the last."""
        forced = bundle.tokenizer.forced(typed) if typed else None
        started = time.perf_counter()
        with engine.generate(ids[:count], sampling, forced=forced) as stream:
            times = [(time.perf_counter() - started) * 1e3 for _ in stream]
        return times[0], times[-1]

    def key(number: int) -> float:
        if is_line:
            return timed(length, _LINE[: number + 1])[1]
        return timed(length + _TOKENS_PER_KEY * (number + 1))[1]

    begun = time.perf_counter()
    prompt_ms, _ = timed(length)
    keys: list[float] = []
    while len(keys) < _KEYS and (not keys or time.perf_counter() - begun < _SECONDS):
        keys.append(key(len(keys)))
    return Speed(name, round(min(keys), 2), round(prompt_ms, 2))


def _place(bundle: ModelBundle, threads: int) -> Path:
    """The file for this machine, this bundle and these versions."""
    facts = {
        "weights": bundle.manifest.weights.sha256,
        "threads": threads,
        "versions": {name: _version(name) for name in ("fim-lsp", *PACKAGES.values())},
        "system": [platform.system(), platform.machine(), _processor()],
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return user_cache_path("fim-lsp", appauthor=False) / "engines" / f"{key[:20]}.json"


def _processor() -> str:
    """The processor's model; a cache folder may be shared by several machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("model name")), "")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _read(path: Path) -> Choice | None:
    """What is remembered; None where there is nothing, or nothing that can be believed."""
    try:
        content = read_json(path)
        choice = Choice(content["engine"], tuple(_speed(speed) for speed in content["speeds"]))
        if choice.engine not in PACKAGES:
            raise UnusableFile(f"there is no engine {shown(choice.engine)}")
    except FileNotFoundError:
        return None
    except (OSError, UnusableFile, TypeError, KeyError) as error:
        logger.warning("%s is damaged (%s); measuring again", path, error)
        return None
    return choice


def _speed(content: dict[str, Any]) -> Speed:
    speed = Speed(**content)
    for value, kind in ((speed.engine, str), (speed.key_ms, float), (speed.prompt_ms, float)):
        if not isinstance(value, kind):
            raise TypeError(f"{shown(value)} is no {kind.__name__}")
    return replace(speed, problem=str(speed.problem))


def _remember(path: Path, choice: Choice) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(asdict(choice), indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        logger.warning("%s cannot be written (%s); the next start measures again", path, error)
