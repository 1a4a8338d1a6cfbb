"""Examines a machine and a model for `fim-lsp doctor`."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from fim_lsp import version
from fim_lsp.commands.doctor_report import Keys, Machine, Report, Row, Sample
from fim_lsp.commands.known_editors import editors_here
from fim_lsp.logs import default_log_file
from fim_lsp.model_host.status import ServerState
from fim_lsp.settings import Settings
from model_runtime import progress
from model_runtime.engines import registry
from model_runtime.engines.kind import AUTO
from model_runtime.errors import CatalogueError, EngineUnavailable, ModelRuntimeError
from model_runtime.store import choice

if TYPE_CHECKING:
    from fim_lsp.replay.key_times import KeyTime
    from model_runtime.engines.auto_select import Choice
    from model_runtime.machine.speed import MachineSpeed
    from model_runtime.machine.typed_keys import Key
    from model_runtime.served_model import ServedModel

PROMPT_TOKENS = 512
"""Length of the prompt whose first token is timed."""
_NEW_TOKENS = 32
_ROUNDS = 3
_SLOW_MS = 400
"""Time after which a first suggestion comes after the next key for most typists."""
_KEYS = 80
_MAX_TYPING_SECONDS = 10.0
_DECODING = "decode"
"""Step of an answer that only those of the model have."""


def examine(settings: Settings) -> Report:
    """Measures the machine, loads the model, times it, and looks for what commonly goes wrong."""
    from fim_lsp.model_host.loader import load_model
    from model_runtime.machine.speed import measured_speed

    report = Report(
        version=version(),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
        folders=_folders(),
        editors=[editor.name for editor in editors_here()],
    )
    speed = measured_speed(threads=settings.threads, anew=True)
    _assess(report, speed)
    try:
        compared = load_model(settings, measure=True)
        compared.engine.close()  # what it did at the first time is done, so this is a usual start:
        started = time.perf_counter()
        model = load_model(replace(settings, engine=compared.engine.name))
    except ModelRuntimeError as error:
        report.add(str(error), _remedy(error, settings))
        return report
    report.load_ms = round((time.perf_counter() - started) * 1e3, 1)
    report.model, report.engine = model.name, model.engine.name
    report.engines = _engines(settings.device, compared.choice)
    report.weight_forms = model.weight_forms
    report.parameters = model.parameters
    report.languages = model.languages
    report.context_tokens = model.engine.context_length
    try:
        with progress.step("timing the engine"):
            first_ms, tokens_per_second = _measure(model)
        report.kept_texts = model.kept_texts
        if (server := ServerState.of(model)) is not None:  # by now it has answered
            report.server = server.text
        report.keys = _type(model, settings, _speed_of(model, settings, speed))
    except ModelRuntimeError as error:
        report.add(f"the engine failed: {error}", "try another one with --engine")
        return report
    finally:
        model.engine.close()
    report.first_token_ms = round(first_ms, 1)
    report.tokens_per_second = round(tokens_per_second, 1)
    report.ok = True
    if first_ms > _SLOW_MS:
        report.add(
            f"the first token takes {first_ms:.0f} ms after {PROMPT_TOKENS} tokens of context",
            "close busy programs, choose a smaller model, or lower fimLsp.contextTokens",
        )
    return report


def _folders() -> dict[str, str]:
    """Returns where models, what engines made of them, and the log lie."""
    from platformdirs import user_cache_path

    from model_runtime.store import installed

    return {
        "models": str(installed.models_folder()),
        "cache": str(user_cache_path("fim-lsp", appauthor=False)),
        "log": str(default_log_file()),
    }


def _remedy(error: ModelRuntimeError, settings: Settings) -> str:
    """Returns the next step where no model could be loaded."""
    if settings.device == "cuda":
        return (
            "a GPU is used by PyTorch alone: pip install 'fim-lsp[torch]' in a build for it, or "
            "leave the device at auto"
        )
    if isinstance(error, EngineUnavailable) and settings.engine != AUTO:
        return "or leave the engine at auto, which takes what is installed"
    if settings.model == AUTO and choice.chosen_model() is not None:
        return "fim-runtime models use default goes back to the embedded model"
    return "fim-runtime models list shows what is installed"


def _assess(report: Report, speed: MachineSpeed) -> None:
    """Tells of the machine, and how each model of the catalogue would do on it."""
    from model_runtime.catalogue.entries import catalogue
    from model_runtime.catalogue.fit import assess
    from model_runtime.hardware import usable_cores
    from model_runtime.memory import available_memory, total_memory

    free = available_memory()
    report.machine = Machine(
        usable_cores=usable_cores(),
        memory_bytes=total_memory(),
        free_memory_bytes=free,
        bandwidth_bytes_per_second=round(speed.bandwidth),
        operations_per_second=round(speed.flops),
        threads=speed.threads,
        is_busy=speed.is_busy,
    )
    try:
        found = assess(catalogue(), speed, free)
    except CatalogueError as error:
        report.add(str(error), "the models that are installed work without it")
        return
    report.catalogue = [
        Row(
            name=one.model.name,
            parameters=one.model.parameters,
            memory_bytes=one.memory_bytes,
            key_ms=round(one.key_ms, 1),
            fits=one.fits,
            is_recommended=one.is_recommended,
            why=one.why,
        )
        for one in found
    ]


def _engines(device: str, choice: Choice | None) -> list[dict[str, Any]]:
    """Returns what is known of the engines among which `auto` chooses."""
    speeds = {speed.engine: asdict(speed) for speed in (choice.speeds if choice else ())}
    return [
        {"engine": kind.name, "installed": bool(kind.version), **speeds.get(kind.name, {})}
        for kind in registry.candidates(device)
    ]


def _measure(model: ServedModel) -> tuple[float, float]:
    """Measures the median milliseconds to the first token, and tokens per second after it."""
    import statistics

    from model_runtime.engines.protocol import SamplingParams

    first, speeds = [], []
    length = min(PROMPT_TOKENS, model.engine.context_length - _NEW_TOKENS)
    sampling = SamplingParams(max_tokens=_NEW_TOKENS, stop_ids=frozenset())
    vocabulary = model.tokenizer.size
    for number in range(_ROUNDS):
        # Different ids each time, so that no cache helps; any text costs the same.
        prompt = [7919 * (place + 1) * (number + 1) % vocabulary for place in range(length)]
        started = time.perf_counter()
        times = []
        with model.engine.generate(prompt, sampling) as stream:
            for _ in stream:
                times.append(time.perf_counter())
        first.append((times[0] - started) * 1e3)
        if len(times) > 1:
            speeds.append((len(times) - 1) / (times[-1] - times[0]))
        progress.advance((number + 1) / _ROUNDS)
    return statistics.median(first), statistics.median(speeds) if speeds else 0.0


def _type(model: ServedModel, settings: Settings, speed: MachineSpeed) -> Keys:
    """Types a few lines and tells how long the keys took, beside what was predicted.

    The model is closed afterwards.
    """
    import asyncio

    from fim_lsp.replay.key_times import key_times
    from model_runtime.machine import prediction
    from model_runtime.machine.typed_keys import typed_keys

    decoder, encoder = model.decoder, model.encoder
    with progress.step("typing a few lines"):
        times = asyncio.run(
            key_times(
                model, settings, keys=_KEYS, seconds=_MAX_TYPING_SECONDS, advance=progress.advance
            )
        )
    keys = Keys(
        number=len(times),
        measured_p95_ms=_rounded([one.milliseconds for one in times]),
        sample=_sample(times),
        steps_ms=_medians([one.steps_ms for one in times if _DECODING in one.steps_ms]),
    )
    if decoder is None or model.engine.name != registry.PREDICTED:
        return keys
    facts = prediction.DecoderFacts.of(decoder)
    bytes_each = prediction.weight_bytes(model.weights_dtype)
    usual = typed_keys(
        is_suffix_first=encoder.format.is_suffix_first,
        rereads_suffix=encoder.format.rereads_suffix,
    )

    def predicted(work: Iterable[Key]) -> float | None:
        return _rounded(
            [prediction.key_ms(facts, speed, key, bytes_each=bytes_each) for key in work]
        )

    return replace(
        keys,
        predicted_p95_ms=predicted(usual),
        predicted_p95_ms_of_these=predicted(one.work for one in times),
    )


def _sample(times: Sequence[KeyTime]) -> Sample | None:
    if not times:
        return None
    longest = max(times, key=lambda one: sum(map(str.isalnum, one.text)))
    return Sample(longest.line, longest.text, round(longest.milliseconds, 1))


def _speed_of(model: ServedModel, settings: Settings, speed: MachineSpeed) -> MachineSpeed:
    """Returns the speed with the threads that the model has, which may be fewer."""
    from model_runtime.engines.threads import usable_threads
    from model_runtime.machine.speed import measured_speed

    threads = usable_threads(settings.threads, speed.threads, weights=model.parameters)
    return speed if threads == speed.threads else measured_speed(threads=threads)


def _medians(keys: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Returns the median milliseconds of each step; a key that had no such step counts as 0."""
    from statistics import median

    names = dict.fromkeys(name for steps in keys for name in steps)
    return {name: round(median(steps.get(name, 0.0) for steps in keys), 3) for name in names}


def _rounded(milliseconds: list[float]) -> float | None:
    """Returns the 95th percentile; None of nothing."""
    from model_runtime.machine.prediction import percentile_95

    return round(percentile_95(milliseconds), 1) if milliseconds else None
