"""Runs one program inside the sandbox.

A script of its own: standard library only, nothing of this package.

    python -c <this source> JOB_FD NONCE_FD RESULT_FD FILTER LIMIT=NUMBER...

It lowers its own limits, gives up the system calls of FILTER (bytes for the kernel in hexadecimal,
see system_calls.py), says `start`, runs the program, and only after the program's last statement
reads the nonce and writes it back: an exit status, a printed word or an early exit are worth
nothing.  The program runs with an empty environment and empty globals, as in the protocol of
human-eval-infilling.

What this cannot do: the checks of HumanEval run in the program's own process, so a program that
searches its interpreter for the nonce's file descriptor, or returns objects that equal everything,
can pass.  No model writes that by accident; nothing that runs these tests unchanged could forbid
it.
"""

from __future__ import annotations

import os
import resource
import sys

_MAX_REASON = 300  # characters of an error's text that are reported


def main() -> None:
    """Runs the program and writes its verdict; never returns."""
    # The program may replace anything in `os`; what is needed after it is taken now.
    write, read, leave, describe = os.write, os.read, os._exit, _describe
    getpid, own_pid = os.getpid, os.getpid()
    job_fd, nonce_fd, result_fd = (int(argument) for argument in sys.argv[1:4])
    forbidden = bytes.fromhex(sys.argv[4])
    limits = [argument.split("=") for argument in sys.argv[5:]]
    with open(job_fd, "rb") as job:
        source = job.read().decode("utf-8", "surrogatepass")
    os.dup2(
        1, 2
    )  # until here stderr told the supervisor why nothing starts; from here on it is /dev/null
    os.environ.clear()
    sys.argv[:] = ["program"]
    sys.path[:] = [path for path in sys.path if path]  # no imports from the working folder
    for name, number in limits:
        _limit(name, int(number))
    if forbidden:
        _forbid(forbidden)
    write(result_fd, b"start\n")
    try:
        exec(compile(source, "<program>", "exec"), {})
    except BaseException as error:  # SystemExit and KeyboardInterrupt are failures as well
        verdict = describe(error)
    else:
        # A child of the program may get here too, while the program itself left early.
        verdict = read(nonce_fd, 64) if getpid() == own_pid else b"a child came to the end"
    write(result_fd, verdict + b"\n")
    leave(0)  # at once: no atexit handler, no waiting for threads


def _limit(name: str, value: int) -> None:
    """Lowers one of the `RLIMIT_*`, soft and hard, so that it cannot be raised again."""
    kind = getattr(resource, f"RLIMIT_{name}", None)
    if kind is None:
        return  # the supervisor's self-test finds out whether that matters
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (value, value))
    except (ValueError, OSError):
        return


def _forbid(filter: bytes) -> None:
    """Gives up system calls, for this process and all that it starts."""
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))

    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, by_filter = 38, 22, 2
    program = Program(len(filter) // 8, filter)
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(
        set_seccomp, by_filter, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the filter of system calls cannot be set")


def _describe(error: BaseException) -> bytes:
    try:
        text = f"{type(error).__name__}: {error}".replace("\n", " ").rstrip(": ")
    except BaseException:  # a program's own __str__
        text = type(error).__name__
    return text[:_MAX_REASON].encode("utf-8", "replace")


if __name__ == "__main__":
    main()
