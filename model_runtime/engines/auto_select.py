"""Finds the engine that is fastest on this machine: measured once, remembered in the user's cache.

    <cache>/fim-lsp/engines/<key>.json      the figures, and which engine was chosen by them

The key is a hash of the processor, the cores, the weights, the setting of threads and the versions
of all that takes part; a change of any of them is measured again, and so is a choice that a server
forgets because its engine has become far slower.  The file may be deleted at any time.

What is measured is a key in an editor: two more ids on a long prompt that is otherwise cached, or
one more character of the line that is typed where the hole begins at its start, and eight ids
decoded.  The registry says which engines take part on which device.  A large model, whose forms
take long to write, is measured only when that is asked for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_runtime.engines import registry
from model_runtime.engines.kind import EngineKind, EngineOptions
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.errors import ModelRuntimeError, shown
from model_runtime.hardware import machine_facts
from model_runtime.measurements import measurement_file, remember, remembered
from model_runtime.model_files import UnusableFile
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.format import HoleStart

logger = logging.getLogger(__name__)

_PROMPT_TOKENS = 256
_NEW_TOKENS = 8
_TOKENS_PER_KEY = 2
_KEYS = 8
_LINE = "return value"
"""Text that is typed on a line while an engine is measured."""
_SECONDS = 2.0
"""Time after which no further key is measured on an engine; a slow one gets at least one key."""
_LARGE_BYTES = 256 * 2**20
"""Size of the weights from which on a model is not measured at a start."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Holds what one engine does here."""

    engine: str
    key_ms: float = 0.0
    """Time from a key to eight decoded ids; the least of several, for other programs add to it."""
    prompt_ms: float = 0.0
    """Time to the first id after a prompt of 256 ids of which nothing is cached."""
    problem: str = ""
    """Reason why the engine cannot run here; empty where it can."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Names the fastest engine."""

    engine: str
    speeds: tuple[Speed, ...] = ()
    """Figures by which it was chosen; none where only one could run."""
    remembered_in: Path | None = None
    """File that has the choice; None where nothing is remembered."""

    def forget(self) -> None:
        """Has the engines measured again at the next opening; the figures hold no more."""
        if self.remembered_in is not None:
            with suppress(OSError):
                self.remembered_in.unlink(missing_ok=True)


def open_auto_selected(
    bundle: ModelBundle,
    options: EngineOptions | None = None,
    *,
    kinds: Sequence[EngineKind] | None = None,
    anew: bool = False,
    large_bytes: int = _LARGE_BYTES,
    machine: Mapping[str, Any] | None = None,
) -> tuple[Engine, Choice]:
    """Opens the engine that is fastest for this bundle; measures where that is not known yet.

    Args:
        bundle: the model.
        options: as the engines are opened; what is fastest may depend on the threads.
        kinds: the engines that take part, the preferred one first; by default the registry's.
        anew: measures also what is remembered, and large models.
        large_bytes: size of the weights from which on a model is not measured.
        machine: facts that the speed depends on; by default those of this machine.

    Raises:
        EngineUnavailable, BundleError: no engine can run the bundle.
    """
    options = options or EngineOptions()
    asked = registry.candidates(options.device) if kinds is None else kinds
    able = [kind for kind in asked if kind.version and not kind.supports(bundle)]
    if len(able) < 2:
        kind = (able or list(asked))[0]
        return registry.open_kind(kind, bundle, options), Choice(kind.name)
    path = _place(bundle, options, able, machine_facts() if machine is None else machine)
    by_name = {kind.name: kind for kind in able}
    known = None if anew else remembered(path, lambda content: _choice(content, by_name))
    if known is not None:
        try:
            opened = registry.open_kind(by_name[known.engine], bundle, options)
        except ModelRuntimeError as error:
            logger.warning("%s was chosen and does not open any more: %s", path, error)
        else:
            return opened, replace(known, remembered_in=path)
    if not anew and bundle.manifest.weights.size > large_bytes:
        return _open_first(bundle, options, able)
    engine, choice = _compare(bundle, options, able)
    remember(path, {"engine": choice.engine, "speeds": [asdict(one) for one in choice.speeds]})
    return engine, replace(choice, remembered_in=path)


def _open_first(
    bundle: ModelBundle, options: EngineOptions, kinds: Sequence[EngineKind]
) -> tuple[Engine, Choice]:
    """Opens the first engine that can be opened, unmeasured."""
    *others, last = kinds
    for kind in others:
        try:
            return registry.open_kind(kind, bundle, options), Choice(kind.name)
        except ModelRuntimeError as error:
            logger.warning("the engine %s does not run here: %s", kind.name, error)
    return registry.open_kind(last, bundle, options), Choice(last.name)


def _compare(
    bundle: ModelBundle, options: EngineOptions, kinds: Sequence[EngineKind]
) -> tuple[Engine, Choice]:
    """Measures one engine after the other, so that no more than one model is in memory."""
    speeds: list[Speed] = []
    failures: list[ModelRuntimeError] = []
    engine = None
    for kind in kinds:
        if engine is not None:
            engine.close()
        try:
            engine = registry.open_kind(kind, bundle, options)
            speeds.append(_measure(kind.name, engine, bundle))
        except ModelRuntimeError as error:
            engine = None
            failures.append(error)
            speeds.append(Speed(kind.name, problem=str(error)))
    if len(failures) == len(kinds):
        raise failures[0]
    fastest = min((speed for speed in speeds if not speed.problem), key=lambda it: it.key_ms)
    logger.info("the engine %s is fastest here: %s", fastest.engine, speeds)
    if engine is None or fastest.engine != kinds[-1].name:
        if engine is not None:
            engine.close()
        kind = next(kind for kind in kinds if kind.name == fastest.engine)
        engine = registry.open_kind(kind, bundle, options)
    return engine, Choice(fastest.engine, tuple(speeds))


def _measure(name: str, engine: Engine, bundle: ModelBundle) -> Speed:
    """Measures a cold prompt, and then the keys of someone who types on."""
    vocab = bundle.manifest.decoder.vocab
    is_line = bundle.manifest.prompt.hole_start is HoleStart.LINE
    sampling = SamplingParams(max_tokens=_NEW_TOKENS, stop_ids=frozenset())
    most = engine.context_length - _NEW_TOKENS - _KEYS * _TOKENS_PER_KEY
    length = max(1, min(_PROMPT_TOKENS, most))
    ids = [place * 7919 % vocab for place in range(length + _KEYS * _TOKENS_PER_KEY)]

    def timed(count: int, typed: str = "") -> tuple[float, float]:
        """Returns milliseconds to the first token and to the last."""
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


def _place(
    bundle: ModelBundle,
    options: EngineOptions,
    kinds: Sequence[EngineKind],
    machine: Mapping[str, Any],
) -> Path:
    """Returns the file for this machine, this bundle and these versions."""
    return measurement_file(
        "engines",
        {
            "weights": bundle.manifest.weights.sha256,
            "options": {"device": options.device, "threads": options.threads},
            "versions": {kind.name: kind.version for kind in kinds},
            **machine,
        },
    )


def _choice(content: dict[str, Any], known: Mapping[str, EngineKind]) -> Choice:
    """Returns a choice that was remembered; raises what `remembered` takes for damage."""
    choice = Choice(content["engine"], tuple(_speed(speed) for speed in content["speeds"]))
    if choice.engine not in known:
        raise UnusableFile(f"there is no engine {shown(choice.engine)}")
    return choice


def _speed(content: dict[str, Any]) -> Speed:
    speed = Speed(**content)
    for value, kind in ((speed.engine, str), (speed.key_ms, float), (speed.prompt_ms, float)):
        if not isinstance(value, kind):
            raise TypeError(f"{shown(value)} is no {kind.__name__}")
    return replace(speed, problem=str(speed.problem))
