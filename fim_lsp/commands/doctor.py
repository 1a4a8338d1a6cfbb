"""`fim-lsp doctor`: tells what runs here, how fast, what is wrong, and the remedy."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fim_lsp import version
from fim_lsp.commands.options import add_model_options, checked, model_settings
from fim_lsp.settings import Settings
from model_runtime.command_line import Commands, add_command, add_json_option
from model_runtime.engines import registry
from model_runtime.engines.kind import AUTO
from model_runtime.errors import EngineUnavailable, ModelRuntimeError
from model_runtime.printable import printable

if TYPE_CHECKING:
    from model_runtime.engines.auto_select import Choice
    from model_runtime.served_model import ServedModel

_PROMPT_TOKENS = 512
_NEW_TOKENS = 32
_ROUNDS = 3
_SLOW_MS = 400
"""Time after which a first suggestion comes after the next key for most typists."""


def add_parser(commands: Commands) -> None:
    """Adds the command `doctor`."""
    parser = add_command(
        commands, "doctor", run, help="check model, engine and speed on this machine"
    )
    add_json_option(parser)
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Examines this machine and prints; returns 0 when completions work, 1 when they do not."""
    return show(checked(model_settings(args)), as_json=args.json)


@dataclass
class Report:
    """Holds what `fim-lsp doctor --json` prints; empty or zero where a step was not reached."""

    version: str
    python: str
    platform: str
    cores: int
    ok: bool = False
    model: str = ""
    parameters: int = 0
    context_tokens: int = 0
    engine: str = ""
    engines: list[dict[str, Any]] = field(default_factory=list)
    """Engines that `auto` compares: name, installed, and what the comparison found."""
    load_ms: float = 0.0
    first_token_ms: float = 0.0
    """Median time for a prompt that nothing is cached of."""
    tokens_per_second: float = 0.0
    """Median speed while decoding."""
    problems: list[dict[str, str]] = field(default_factory=list)
    """Entries with `problem` and `remedy`."""

    def add(self, problem: str, remedy: str) -> None:
        """Notes something that the user can mend."""
        self.problems.append({"problem": problem, "remedy": remedy})


def examine(settings: Settings) -> Report:
    """Loads the model, times it, and looks for what commonly goes wrong."""
    from fim_lsp.model_host.loader import load_model

    report = Report(
        version=version(),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
    )
    try:
        compared = load_model(settings, measure=True)
        compared.engine.close()  # what it did at the first time is done, so this is a usual start:
        started = time.perf_counter()
        model = load_model(replace(settings, engine=compared.engine.name))
    except ModelRuntimeError as error:
        unavailable = isinstance(error, EngineUnavailable) and settings.engine != AUTO
        report.add(
            str(error),
            "or leave the engine at auto, which takes what is installed"
            if unavailable
            else "fim-runtime models list shows what is installed",
        )
        return report
    report.load_ms = round((time.perf_counter() - started) * 1e3, 1)
    report.model, report.engine = model.name, model.engine.name
    report.engines = _engines(settings.device, compared.choice)
    report.parameters = model.parameters
    report.context_tokens = model.engine.context_length
    try:
        first_ms, speed = _measure(model)
    except ModelRuntimeError as error:
        report.add(f"the engine failed: {error}", "try another one with --engine")
        return report
    finally:
        model.engine.close()
    report.first_token_ms, report.tokens_per_second = round(first_ms, 1), round(speed, 1)
    report.ok = True
    if first_ms > _SLOW_MS:
        report.add(
            f"the first token takes {first_ms:.0f} ms after {_PROMPT_TOKENS} tokens of context",
            "close busy programs, choose a smaller model, or lower fimLsp.contextTokens",
        )
    return report


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
    length = min(_PROMPT_TOKENS, model.engine.context_length - _NEW_TOKENS)
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
    return statistics.median(first), statistics.median(speeds) if speeds else 0.0


def show(settings: Settings, *, as_json: bool) -> int:
    """Examines this machine and prints; returns 0 when completions work, 1 when they do not."""
    from model_runtime.progress_bar import progress_bar

    with progress_bar():
        report = examine(settings)
    if as_json:
        print(json.dumps(asdict(report), indent=1))
    else:
        _print(report)
    return 0 if report.ok else 1


def _in_words(found: dict[str, Any]) -> str:
    name = found["engine"]
    if not found["installed"]:
        return f"{name} is not installed; put it back with: {registry.find(name).install_command}"
    if problem := found.get("problem"):
        return f"{name} does not run here: {problem}"
    if "key_ms" not in found:
        return f"{name} is installed"
    return f"{name}: {found['key_ms']:.1f} ms a key, {found['prompt_ms']:.0f} ms for a new prompt"


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_row("fim-lsp", f"{report.version}, Python {report.python}")
    table.add_row("machine", f"{report.platform}, {report.cores} cores")
    if report.model:
        table.add_row(
            "model", f"{escape(report.model)}, {report.parameters / 1e6:.1f} M parameters"
        )
        table.add_row("engine", f"{report.engine}, loaded in {report.load_ms:.0f} ms")
        for found in report.engines:
            table.add_row("", escape(printable(_in_words(found))))
        table.add_row("context", f"{report.context_tokens} tokens")
    if report.ok:
        table.add_row(
            "first token", f"{report.first_token_ms:.0f} ms after {_PROMPT_TOKENS} tokens"
        )
        table.add_row("then", f"{report.tokens_per_second:.0f} tokens per second")
    console.print(table)
    for entry in report.problems:
        console.print(
            f"[yellow]problem[/]: {escape(printable(entry['problem']))}\n"
            f"  [bold]remedy[/]: {escape(entry['remedy'])}"
        )
    if report.ok and not report.problems:
        console.print("[green]everything works[/]")
