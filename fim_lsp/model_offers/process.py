"""Runs `fim-runtime models add` in a process of its own, and reads what it says of itself.

It prints an object of JSON a line: steps, and at the end what was added or what was wrong.  When it
is ended early, what it has downloaded stays for the next time, and no model is half there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fim_lsp.background import PROCESS_FLAGS
from fim_lsp.model_offers.errors import AddingFailed

logger = logging.getLogger(__name__)

_COMMAND = (sys.executable, "-m", "model_runtime", "models", "add")
_OPTIONS = ("--yes", "--progress", "json")
_NICENESS = 10
_SECONDS_TO_END = 5.0
_MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class AddStep:
    """Says what the process does, and how far it is."""

    step: str
    """Step in words."""
    share: float | None = None
    """Share of the step that is done, 0 to 1; None where nobody knows."""
    seconds_left: float | None = None
    """Time that the step will still take; None where nobody knows."""
    whole: float | None = None
    """Share of all steps that is done, 0 to 1; None where nobody knows."""


async def add_in_a_process(name: str, on_step: Callable[[AddStep], None]) -> None:
    """Adds a model of the catalogue; cancelling this ends the process.

    Raises:
        AddingFailed: the model was not added; the message says why and what to do.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, name, *_OPTIONS,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_MAX_LINE_BYTES,
            # Not the editor's folder, which may be a stranger's: Python imports from there first.
            cwd=Path(__file__).parents[2],
            creationflags=PROCESS_FLAGS,
        )  # fmt: skip
    except OSError as error:
        raise AddingFailed(f"the program that adds models does not start ({error})") from error
    _make_way(process.pid)
    try:
        result, complaint = await asyncio.gather(
            _result(process.stdout, on_step), _last_line(process.stderr)
        )
        code = await process.wait()
    finally:
        await _end(process)
    if isinstance(problem := result.get("problem"), str):
        raise AddingFailed(problem)
    if "added" not in result:
        raise AddingFailed(_why_it_ended(name, code, complaint))


async def _result(
    stream: asyncio.StreamReader | None, on_step: Callable[[AddStep], None]
) -> dict[str, Any]:
    """Reports the steps; returns the last object that is none, empty where there was none."""
    assert stream is not None
    result: dict[str, Any] = {}
    async for line in stream:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            logger.info("the process that adds a model printed a line that is no object")
        elif isinstance(step := told.get("step"), str):
            numbers = (_number(told.get(key)) for key in ("share", "seconds_left", "whole"))
            on_step(AddStep(step, *numbers))
        else:
            result = told
    return result


async def _last_line(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    last = ""
    async for line in stream:
        last = line.decode("utf-8", "replace").strip() or last
    return last


def _why_it_ended(name: str, code: int, complaint: str) -> str:
    if code < 0:
        return (
            f"the process that adds {name} was killed (signal {-code}), perhaps for lack of "
            "memory; close other programs, then try again"
        )
    return f"the process that adds {name} ended with code {code} ({complaint}); try again"


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _make_way(process_id: int) -> None:
    """Lets the editor and the model that answers go first."""
    if sys.platform != "win32":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process_id, _NICENESS)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends a process that runs, and waits for it."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _SECONDS_TO_END)
    except asyncio.TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
