"""Prints what `fim-lsp doctor` found out, for people, in 80 columns."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fim_lsp.commands.doctor_report import Keys, Machine, Report, Row, Sample
from model_runtime.catalogue.fit import MAX_KEY_MS, MAX_SLOW_KEY_MS, duration
from model_runtime.engines import registry
from model_runtime.engines.abilities import KeptTexts
from model_runtime.printable import printable

_TROUBLESHOOTING = "https://github.com/fim-lsp/fim-lsp/blob/main/docs/troubleshooting.md"


def print_report(report: Report, *, prompt_tokens: int, console: Console | None = None) -> None:
    """Prints a report.

    Args:
        report: all that was found out.
        prompt_tokens: length of the prompt before the first token.
        console: where to; standard output by default.
    """
    console = console or Console(highlight=False)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_row("fim-lsp", f"{report.version}, Python {report.python}")
    table.add_row("machine", f"{report.platform}, {report.cores} cores")
    if report.machine:
        for line in _of_machine(report.machine):
            table.add_row("", line)
    if report.model:
        table.add_row(
            "model", f"{escape(report.model)}, {report.parameters / 1e6:.1f} M parameters"
        )
        if report.languages:
            table.add_row("", f"suggests while you type in {', '.join(report.languages)}")
        table.add_row("engine", f"{report.engine}, loaded in {report.load_ms:.0f} ms")
        if report.weight_forms:
            table.add_row("", report.weight_forms.text)
        for found in report.engines:
            table.add_row("", escape(printable(_in_words(found))))
        if report.server:
            table.add_row("server", escape(printable(report.server)))
        table.add_row("context", f"{report.context_tokens} tokens")
    if report.ok:
        table.add_row("first token", f"{report.first_token_ms:.0f} ms after {prompt_tokens} tokens")
        table.add_row("then", f"{report.tokens_per_second:.0f} tokens per second")
    if report.kept_texts:
        table.add_row("kept", _of_memory(report.kept_texts))
    if report.keys:
        for label, line in zip(("a key", "", ""), _of_keys(report.keys), strict=False):
            table.add_row(label, line)
    if report.keys and report.keys.sample:
        table.add_row("for example", escape(printable(_in_a_line(report.keys.sample))))
    for label, place in report.folders.items():
        table.add_row(label, escape(printable(place)))
    if report.editors:
        table.add_row("editors", f"{', '.join(report.editors)}: fim-lsp setup EDITOR")
    console.print(table)
    if report.catalogue:
        _print_catalogue(console, report)
    for entry in report.problems:
        console.print(
            f"[yellow]problem[/]: {escape(printable(entry['problem']))}\n"
            f"  [bold]remedy[/]: {escape(entry['remedy'])}"
        )
    if report.ok and not report.problems:
        console.print("[green]everything works[/]")
    console.print(f"By symptom: {_TROUBLESHOOTING}", style="dim", soft_wrap=True)


def _of_machine(machine: Machine) -> list[str]:
    threads = "1 thread" if machine.threads == 1 else f"{machine.threads} threads"
    lines = [
        f"{machine.memory_bytes / 1e9:.1f} GB of memory, "
        f"{machine.free_memory_bytes / 1e9:.1f} GB of it free",
        f"{threads} of an engine: {machine.bandwidth_bytes_per_second / 1e9:.0f} GB/s, "
        f"{machine.operations_per_second / 1e9:.0f} GFLOP/s",
    ]
    if machine.is_busy:
        lines.append("[yellow]other programs are busy: all times here are too long[/]")
    return lines


def _of_memory(kept: KeptTexts) -> str:
    return (
        f"{kept.used_bytes / 1e6:.0f} of {kept.max_bytes / 1e6:.0f} MB, for what was read of "
        f"{kept.number} texts"
    )


def _of_keys(keys: Keys) -> list[str]:
    """Returns how long a typist waits, and how good the prediction was."""
    if keys.measured_p95_ms is None:
        return ["no suggestion came while a few lines were typed"]
    lines = [
        f"95 of 100 suggestions within {keys.measured_p95_ms:.0f} ms ({keys.number} were timed)"
    ]
    if keys.predicted_p95_ms_of_these is not None and keys.predicted_p95_ms is not None:
        times = keys.predicted_p95_ms_of_these / max(keys.measured_p95_ms, 0.1)
        lines += [
            f"predicted for these keys: {keys.predicted_p95_ms_of_these:.0f} ms, "
            f"{times:.2f} times as long",
            f"predicted for usual typing: {keys.predicted_p95_ms:.0f} ms",
        ]
    return lines


def _in_a_line(sample: Sample) -> str:
    return f"{sample.line.lstrip()}«{sample.text}» after {sample.milliseconds:.0f} ms"


def _print_catalogue(console: Console, report: Report) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model to add")
    for heading in ("weights", "memory", "95 % within"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in report.catalogue:
        table.add_row(
            escape(row.name),
            f"{row.parameters / 1e9:.1f} B",
            f"{row.memory_bytes / 1e9:.1f} GB",
            duration(row.key_ms),
            _verdict(row),
            style="bold" if row.is_recommended else "",
        )
    console.print()
    console.print(table)
    console.print()
    best = report.recommended
    if best is None:
        console.print("None of these models suits this machine; the embedded one stays.")
    else:
        console.print(f"Recommended is [bold]{escape(best.name)}[/]: {escape(best.why)}.")
        console.print(f"  fim-runtime models add {best.name}", markup=False, soft_wrap=True)
    console.print()


def _verdict(row: Row) -> str:
    if row.is_recommended:
        return "[green]recommended[/]"
    if not row.fits:
        return "[yellow]too little memory[/]"
    if row.key_ms > MAX_SLOW_KEY_MS:
        return "too slow"
    return "slow" if row.key_ms > MAX_KEY_MS else ""


def _in_words(found: dict[str, Any]) -> str:
    name = found["engine"]
    if not found["installed"]:
        return f"{name} is not installed; put it back with: {registry.find(name).install_command}"
    if problem := found.get("problem"):
        return f"{name} does not run here: {problem}"
    if "key_ms" not in found:
        return f"{name} is installed"
    return f"{name}: {found['key_ms']:.1f} ms a key, {found['prompt_ms']:.0f} ms for a new prompt"
