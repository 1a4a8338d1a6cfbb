"""Runs model-written Python programs, each in a fresh confined process, and says which have passed.

    Sandbox.open().run(program) -> Outcome

    this process --> isolation.py's command --> runner.py --> the program, then a nonce

The isolation is chosen by running a program that tries to get out (probe.py), once per process.
The nonce, written after the program's last statement, is the only proof of success.
"""

from __future__ import annotations

import math
import os
import platform
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO

from model_runtime.evaluation.errors import SandboxBroken, SandboxUnavailable
from model_runtime.evaluation.isolation import Isolation, base_python, confinement, environment
from model_runtime.evaluation.system_calls import seccomp_filter

_START = b"start\n"
_STARTUP_SECONDS = 30.0  # a loaded machine must not turn into failed programs
_MAX_RESULT_BYTES = 64 * 1024
_MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Limits:
    """The resources that one program may use."""

    seconds: float = 3.0
    """Wall clock from the program's first statement; human-eval-infilling gives 3."""
    memory_mb: int = 512
    """Address space of each process."""
    processes: int = 8
    """Processes and threads."""
    file_mb: int = 16
    """Size of one file, and of the memory file system at /tmp."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one program."""

    passed: bool
    reason: str
    """Reason why it did not pass: an error's name and text, `time limit`, `ended early`; else
    empty.
    """
    seconds: float
    """Wall clock, with the start of the sandbox."""


@dataclass(frozen=True)
class Sandbox:
    """Runs programs under one isolation and one set of limits; threads may share it."""

    isolation: Isolation
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def open(cls, limits: Limits | None = None, *, allow_unsandboxed: bool = False) -> Sandbox:
        """Returns a sandbox with the best isolation that works here.

        Raises:
            SandboxUnavailable: none works, and `allow_unsandboxed` was not given.
        """
        isolation, reasons = _working_isolation()
        if isolation is Isolation.NONE and not allow_unsandboxed:
            raise SandboxUnavailable(
                "model-written programs are not run, because nothing here can confine them "
                f"({'; '.join(reasons)}); install bubblewrap, allow unprivileged user namespaces, "
                "or accept the risk with --allow-unsandboxed inside a machine you can throw away"
            )
        return cls(isolation, limits or Limits())

    def run(self, program: str) -> Outcome:
        """Runs `program` to its end or its limits.

        It has passed if its last statement was executed; ending in any other way is a failure.

        Raises:
            SandboxBroken: the sandbox did not start, so nothing is known about the program.
        """
        started = time.perf_counter()
        nonce = secrets.token_hex(16).encode()
        with (
            _file(program.encode("utf-8", "surrogatepass")) as job,
            _file(nonce) as proof,
            _file(b"") as complaints,
        ):
            output, status = self._supervise(job, proof, complaints)
            if not output.startswith(_START):
                complaints.seek(0)
                words = complaints.read(2000).decode("utf-8", "replace").strip()
                raise SandboxBroken(
                    f"the {self.isolation.value} sandbox did not start: {words or status}"
                )
        verdict = output[len(_START) :]
        # Equal, not contained: a program that writes to every descriptor cannot know what to write.
        passed = verdict == nonce + b"\n" and status == "exit status 0"
        reason = "" if passed else _reason(verdict, status)
        return Outcome(passed, reason, time.perf_counter() - started)

    def _supervise(
        self, job: IO[bytes], proof: IO[bytes], complaints: IO[bytes]
    ) -> tuple[bytes, str]:
        """Starts the runner; returns what it wrote and how it ended."""
        result_end, result_target = os.pipe()
        with open(result_end, "rb", buffering=0) as result:
            with open(result_target, "wb", buffering=0) as target:
                descriptors = (job.fileno(), proof.fileno(), target.fileno())
                try:
                    process = subprocess.Popen(
                        [
                            *confinement(self.isolation, self.limits.file_mb << 20),
                            *_runner(descriptors, self.limits),
                        ],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=complaints,
                        pass_fds=descriptors,
                        env=environment(),
                        cwd="/",
                        start_new_session=True,
                    )
                except OSError as error:
                    raise SandboxBroken(f"the sandbox did not start: {error}") from error
            try:
                output, problem = _read(result.fileno(), self.limits.seconds)
                if problem:
                    return output, problem
                with suppress(subprocess.TimeoutExpired):  # all writers are gone, so it is ending
                    process.wait(timeout=_STARTUP_SECONDS)
                return output, f"exit status {process.returncode}"
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _file(content: bytes) -> IO[bytes]:
    """Returns an unnamed temporary file, positioned at its start."""
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's `with` closes it
    file.write(content)
    file.seek(0)
    return file


def _read(descriptor: int, seconds: float) -> tuple[bytes, str]:
    """Returns what arrives until the end of the stream, and what prevented that end, if anything
    did.

    Time runs from the start line on; before it there is only the start of an interpreter.
    """
    output = b""
    deadline = time.monotonic() + _STARTUP_SECONDS
    is_started = False
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(output) < _MAX_RESULT_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(math.ceil(left * 1000)):
            return output, "time limit"
        chunk = os.read(descriptor, 4096)
        if not chunk:
            return output, ""
        output += chunk
        if not is_started and output.startswith(_START):
            is_started, deadline = True, time.monotonic() + seconds
    return output, "wrote without end to the result"


def _reason(verdict: bytes, status: str) -> str:
    if status == "exit status 0" and verdict:
        return " ".join(verdict.decode("utf-8", "replace").split())[:_MAX_REASON]
    return status if status == "time limit" else f"ended early: {status}"


def _runner(descriptors: tuple[int, int, int], limits: Limits) -> list[str]:
    """Returns the command that runs inside, whatever the isolation."""
    resources = {
        "AS": limits.memory_mb << 20,
        "CPU": math.ceil(limits.seconds)
        + 1,  # the wall clock comes first; this is for what outlives it
        "NPROC": limits.processes,
        "FSIZE": limits.file_mb << 20,
        "NOFILE": 64,
        "CORE": 0,
    }
    lowered = [f"{name}={number}" for name, number in resources.items()]
    calls = seccomp_filter(platform.machine()).hex()
    return [*base_python(), "-c", _source("runner.py"), *map(str, descriptors), calls, *lowered]


@lru_cache(maxsize=2)
def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _working_isolation() -> tuple[Isolation, tuple[str, ...]]:
    """Returns the first isolation that holds, and why those before it do not."""
    reasons: list[str] = []
    for isolation in (Isolation.BUBBLEWRAP, Isolation.NAMESPACES):
        problem = weakness(isolation)
        if not problem:
            return isolation, tuple(reasons)
        reasons.append(f"{isolation.value}: {problem}")
    return Isolation.NONE, tuple(reasons)


def weakness(isolation: Isolation) -> str:
    """Says what a program under `isolation` can do that it must not; empty if nothing was found."""
    if not sys.platform.startswith("linux"):
        return f"not on {sys.platform}"
    if isolation is Isolation.BUBBLEWRAP and shutil.which("bwrap") is None:
        return "not installed"
    sandbox = Sandbox(isolation, Limits(seconds=20.0))
    name = f"fim-lsp-probe-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        facts = (folder, sys.base_prefix, name, sandbox.limits.processes, sandbox.limits.memory_mb)
        try:
            outcome = sandbox.run(f"{_source('probe.py')}\nprobe{facts!r}\n")
        except SandboxBroken as error:
            return str(error)
    return "" if outcome.passed else outcome.reason
