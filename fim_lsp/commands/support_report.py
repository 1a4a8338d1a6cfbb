"""Writes what helps others to find a fault: versions, settings, speed and log, without code."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from importlib import metadata
from io import StringIO
from pathlib import Path

from rich.console import Console

from fim_lsp.commands.doctor_page import print_report
from fim_lsp.commands.doctor_report import Report
from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.logs import default_log_file
from fim_lsp.settings import Settings
from model_runtime.engines import registry
from model_runtime.printable import printable, shown_bytes

_WIDTH = 100
_LOG_LINES = 60
_LOG_BYTES = 200_000
_PACKAGES = (
    "fim-lsp", "pygls", "lsprotocol", "numpy", "tokenizers", "tree-sitter", "huggingface-hub",
    "httpx", "starlette", "uvicorn",
)  # fmt: skip
_VARIABLES = re.compile(
    r"(FIM_LSP|ORT|OMP|MKL|CUDA|XDG|HF|SSL)_\w+|(HTTPS?|NO|ALL)_PROXY|NO_COLOR|TERM", re.IGNORECASE
)
_RECORD = re.compile(r"\d{4}-\d\d-\d\d \S+ (?P<level>[A-Z]+) ")


def support_report(report: Report, settings: Settings, *, prompt_tokens: int) -> str:
    """Returns a page in Markdown for whoever is asked for help.

    It has no code, no values of environment variables, and `~` in place of the home folder.

    Args:
        report: what the doctor found out.
        settings: those that the doctor was run with.
        prompt_tokens: length of the doctor's prompt.
    """
    parts = (
        ("What the doctor found", _block(_page(report, prompt_tokens))),
        (
            "Milliseconds of each step, at the median key that the model answered",
            _table(_steps(report)),
        ),
        ("Settings that differ from the defaults", _table(_changed(settings))),
        ("Models", _table(_models())),
        ("Packages", _table(_packages())),
        ("Environment variables that are set", _names(sorted(filter(_counts, os.environ)))),
        ("The end of the log, without its lines of level debug", _block(_log(default_log_file()))),
    )
    text = "# A report of fim-lsp doctor\n\n" + "\n".join(
        f"## {title}\n\n{content}\n" for title, content in parts
    )
    return without_names(printable(text))


def write_report(text: str, path: Path) -> None:
    """Writes a report.

    Raises:
        UsageError: there is such a file already.
        FimLspError: it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists; name another file: --report FILE") from None
    except OSError as error:
        raise FimLspError(f"{path}: {error.strerror}; the report was not written") from None


def without_names(text: str) -> str:
    """Returns a text without the home folder and the name of the user."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        return text  # a user without a name, as in some containers
    # Short names, and those that every machine has, are parts of other words.
    return text if user == "root" else re.sub(rf"\b{re.escape(user)}\b", "USER", text)


def _page(report: Report, prompt_tokens: int) -> str:
    file = StringIO()
    print_report(report, prompt_tokens=prompt_tokens, console=Console(file=file, width=_WIDTH))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _steps(report: Report) -> Mapping[str, str]:
    steps = report.keys.steps_ms if report.keys else {}
    return {name: f"{milliseconds:.2f}" for name, milliseconds in steps.items()}


def _changed(settings: Settings) -> Mapping[str, str]:
    default = Settings()
    return {
        field.name: str(getattr(settings, field.name))
        for field in fields(settings)
        if getattr(settings, field.name) != getattr(default, field.name)
    }


def _models() -> Mapping[str, str]:
    from model_runtime.store import installed

    return {
        entry.name: entry.problem or shown_bytes(entry.bytes) for entry in installed.list_models()
    }


def _packages() -> Mapping[str, str]:
    found = {}
    for name in dict.fromkeys((*_PACKAGES, *(kind.package for kind in registry.kinds()))):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _counts(variable: str) -> bool:
    return bool(_VARIABLES.fullmatch(variable))


def _log(path: Path) -> str:
    """Returns the last records of the log without those of level debug, which may hold code."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return f"there is no log at {path}"
    kept: list[str] = []
    is_kept = False  # the first line may be the rest of one
    for line in lines:
        if record := _RECORD.match(line):
            is_kept = record["level"] != "DEBUG"
        if is_kept:
            kept.append(line)
    return "\n".join(kept[-_LOG_LINES:])


def _block(text: str) -> str:
    # More backticks than any run of them in the text.
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}text\n{text.strip(chr(10))}\n{fence}"


def _table(rows: Mapping[str, str]) -> str:
    if not rows:
        return "None."
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "None."
