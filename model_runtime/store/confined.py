"""Makes bundles of files that may be anybody's: in a process with limits on memory and on time.

    this process --request--> conversion_process.py --steps, and a report or a problem--> this one

A file that is made to take all memory, to take for ever, or to crash a library that reads it, ends
that process, and is told of in one sentence.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from model_runtime import errors
from model_runtime.errors import ConversionError, ModelRuntimeError, shown
from model_runtime.files import size_of_folder
from model_runtime.memory import total_memory
from model_runtime.progress import OnStep, tell
from model_runtime.store.options import AddOptions

if TYPE_CHECKING:
    from model_runtime.importers.huggingface import ConversionReport

logger = logging.getLogger(__name__)

_MIN_MEMORY_BYTES = 4 * 2**30
_MEMORY_OF_A_BYTE = 4
"""Bytes of memory for each of the source's: a file of four bits is measured as int8, twice it."""
_FILE_OF_A_BYTE = 16
"""Bytes written for each of the source's: one of two bits becomes float32."""
_MIN_SECONDS = 900.0
_SECONDS_OF_A_MEGABYTE = 1.0
"""Seconds for each megabyte of the source; half a billion weights take a minute here, not eight."""
_SECONDS_TO_END = 5.0
_MAX_COMPLAINT = 4000
"""Bytes that are kept of what a library writes to standard error."""


@dataclass(frozen=True, slots=True)
class ConversionLimits:
    """The most that the making of one bundle may take."""

    memory_bytes: int
    file_bytes: int
    """Bytes of one file that is written."""
    seconds: float

    @classmethod
    def of(cls, source: Path) -> ConversionLimits:
        """Returns the limits for a source: generous ones, since slow machines exist."""
        size = source.stat().st_size if source.is_file() else size_of_folder(source)
        return cls(
            memory_bytes=min(_MIN_MEMORY_BYTES + _MEMORY_OF_A_BYTE * size, total_memory()),
            file_bytes=_MIN_MEMORY_BYTES + _FILE_OF_A_BYTE * size,
            seconds=_MIN_SECONDS + _SECONDS_OF_A_MEGABYTE * size / 1e6,
        )


def convert_confined(
    source: Path,
    target: Path,
    options: AddOptions,
    progress: OnStep,
    origin: Mapping[str, str] | None = None,
    license: str = "",
    limits: ConversionLimits | None = None,
) -> ConversionReport:
    """Does what `converting.convert` does, in a process of its own, within limits.

    Raises:
        ModelRuntimeError: as `convert`, or the source takes more than its limits.
    """
    limits = limits or ConversionLimits.of(source)
    request = {
        "source": os.path.abspath(source),
        "target": os.path.abspath(target),
        "options": asdict(options),
        "origin": None if origin is None else dict(origin),
        "license": license,
        "limits": {
            "DATA": limits.memory_bytes,
            "FSIZE": limits.file_bytes,
            "CPU": int(limits.seconds * (os.cpu_count() or 1)) + 1,
            "CORE": 0,
        },
    }
    complaints = bytearray()
    last, code, was_late = _asked(request, limits.seconds, progress, complaints)
    if "report" in last:
        return _report(last["report"])
    if "problem" in last:
        raise _error(last)
    words = complaints.decode("utf-8", "replace")
    logger.debug("the process that reads %s ended with %d: %s", source, code, words)
    raise ConversionError(f"{source} cannot be added: {_why(last, code, was_late, limits)}")


def _asked(
    request: Mapping[str, Any], seconds: float, progress: OnStep, complaints: bytearray
) -> tuple[Mapping[str, Any], int, bool]:
    """Returns the last object of the answer, the exit code, and whether the time was over."""
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.conversion_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],  # not the user's folder: Python imports from there first
        )
    except OSError as error:
        raise ConversionError(f"the process that reads models does not start ({error})") from error
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    listener = threading.Thread(target=_keep_start, args=(process.stderr, complaints), daemon=True)
    listener.start()
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    last: Mapping[str, Any] = {}
    try:
        with suppress(BrokenPipeError):  # it has gone; its exit code says why
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        for line in process.stdout:
            told = json.loads(line)
            if "say" in told:
                progress(told["say"])
            elif "step" in told:
                tell(told["step"], told["share"], told["whole"])
            else:
                last = told
        code = process.wait()
    finally:
        timer.cancel()
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        listener.join(_SECONDS_TO_END)
    return last, code, is_over.is_set()


def _keep_start(stream: IO[bytes], kept: bytearray) -> None:
    """Reads a stream to its end, so that its writer never waits, and keeps the first bytes."""
    with stream:
        for line in stream:
            kept += line[: _MAX_COMPLAINT - len(kept)]


def _why(last: Mapping[str, Any], code: int, was_late: bool, limits: ConversionLimits) -> str:
    if was_late:
        return (
            f"it was not read within {limits.seconds:,.0f} seconds; get another file of the model"
        )
    if "unexpected" in last:
        return (
            f"it is damaged, or this program has a fault ({shown(last['unexpected'])}); fetch it "
            "again"
        )
    if "out_of" in last or code < 0:
        gigabytes = limits.memory_bytes / 1e9
        return (
            f"to read it takes more than {gigabytes:.1f} GB of memory, or it is damaged; close "
            "other programs, or get a smaller file of the model"
        )
    return f"the process that read it ended with code {code}; fetch it again"


def _error(last: Mapping[str, Any]) -> ModelRuntimeError:
    kind = getattr(errors, last["kind"], None)
    if isinstance(kind, type) and issubclass(kind, ModelRuntimeError):
        return kind(last["problem"])
    return ConversionError(last["problem"])


def _report(fields: Mapping[str, Any]) -> ConversionReport:
    from model_runtime.importers.huggingface import ConversionReport  # slow to import
    from model_runtime.prompt.format import HoleStart

    start = fields["hole_start"]
    return ConversionReport(
        **{
            **fields,
            "path": Path(fields["path"]),
            "notes": tuple(fields["notes"]),
            "hole_start": None if start is None else HoleStart(start),
        }
    )
