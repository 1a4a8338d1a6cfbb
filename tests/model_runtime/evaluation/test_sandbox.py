"""Programs that try to pass without being right, to stay, or to get out; all are really run."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_runtime.evaluation import sandbox as sandbox_module
from model_runtime.evaluation.errors import SandboxBroken, SandboxUnavailable
from model_runtime.evaluation.isolation import Isolation
from model_runtime.evaluation.sandbox import Sandbox, weakness

HOSTILE = {
    "leaves by sys.exit": "import sys; sys.exit(0)",
    "leaves by os._exit": "import os; os._exit(0)",
    "raises SystemExit": "raise SystemExit",
    "kills itself": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "kills its group": "import os, signal; os.kill(0, signal.SIGKILL)",
    "prints the words of success": "print('start'); print('passed'); 1 / 0",
    "writes to every descriptor": (
        "import os\n"
        "for fd in range(3, 64):\n"
        "    try:\n"
        "        os.write(fd, b'start\\npassed\\n')\n"
        "    except OSError:\n"
        "        pass\n"
        "os._exit(0)"
    ),
    "floods every descriptor": (
        "import os\n"
        "while True:\n"
        "    for fd in range(1, 64):\n"
        "        try:\n"
        "            os.write(fd, b'x' * 60000)\n"
        "        except OSError:\n"
        "            pass"
    ),
    "replaces what the runner needs": (
        "import builtins, os\n"
        "builtins.exec = builtins.compile = print\n"
        "os.read = os.write = os._exit = lambda *arguments: b''\n"
        "raise ValueError"
    ),
    "registers an exit handler": "import atexit, os; atexit.register(os._exit, 0); 1 / 0",
    "has an error that cannot be printed": (
        "class Odd(BaseException):\n    def __str__(self):\n        raise Odd\nraise Odd"
    ),
    "reads standard input": "input()",
    "loops for ever": "while True:\n    pass",
    "sleeps": "import time; time.sleep(60)",
    "catches everything": (
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"
    ),
    "ignores every signal": (
        "import signal\n"
        "for number in signal.valid_signals():\n"
        "    try:\n"
        "        signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n"
        "        pass\n"
        "while True:\n    pass"
    ),
    "raises its own limits": (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))"
    ),
    "prints for ever": "while True:\n    print('x' * 10_000)",
    "is a fork bomb": (
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    ),
    "passes in a child only": "import os\nif os.fork():\n    os._exit(0)",
    "starts threads without end": (
        "import threading, time\n"
        "while True:\n    threading.Thread(target=time.sleep, args=(60,)).start()"
    ),
    "wants ten gigabytes": "x = bytearray(10**10)",
    "wants memory bit by bit": "x = []\nwhile True:\n    x.append(bytearray(10**6))",
    "fills the disk": "open('/tmp/large', 'wb').write(bytes(2**25))",
    "fills the disk with files": (
        "for number in range(10**6):\n    open(f'/tmp/{number}', 'w').write('x')"
    ),
    "writes beside the standard library": "import os; open(os.__file__ + '.txt', 'w')",
    "reads the users of the machine": "open('/etc/passwd')",
    "looks at other processes": "open('/proc/1/environ')",
    "opens a connection": "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)",
    "becomes root": "import os; os.setuid(0)",
    "mounts a file system": (
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "assert libc.mount(b'tmpfs', b'/usr', b'tmpfs', 0, None) == 0, ctypes.get_errno()"
    ),
    "makes the system writable": (
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "remount, bind = 32, 4096\n"
        "assert libc.mount(None, b'/usr', None, remount | bind, None) == 0, ctypes.get_errno()"
    ),
    "imports an installed package": "import numpy",
    "never returns from itself": "def f():\n    f()\nf()",
    "crashes the interpreter": "import ctypes; ctypes.string_at(0)",
    "is not Python": "def (",
    "holds a null byte": "x = '\0'",
    "holds a lone surrogate": "x = '\ud800'",
    "nests too deeply": "x = " + "(" * 100_000,
}


@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_program_fails_that(program: str, impatient: Sandbox) -> None:
    """Whatever it does, it does not pass, and the supervisor comes back."""
    outcome = impatient.run(program)

    assert not outcome.passed
    assert outcome.reason


@pytest.mark.parametrize(
    "program",
    [
        "",
        "x = 1",
        "print('start\\n' * 1000)",
        "import math, re, collections, typing, hashlib, random, datetime, json",
        "from typing import List\ndef f(x: List[int]) -> int:\n    return sum(x)\nassert f([1]) == 1",
        "open('/tmp/scratch', 'w').write('fine')",
        "import threading; threading.Thread(target=print).start()",
        "import os; os.environ['X'] = 'y'",
        "naïve = 'ünïcödé 🙂'; assert len(naïve) == 9",
        "if __name__ == '__main__':\n    raise SystemExit  # the protocol runs it without a name",
    ],
)
def test_an_honest_program_passes(program: str, sandbox: Sandbox) -> None:
    assert "" == sandbox.run(program).reason


def test_the_reason_names_the_error(sandbox: Sandbox) -> None:
    assert "AssertionError: sums differ" == sandbox.run("assert 1 == 2, 'sums differ'").reason


def test_the_reason_names_the_time_limit(impatient: Sandbox) -> None:
    assert "time limit" == impatient.run("while True: pass").reason


def test_the_reason_names_an_early_end(sandbox: Sandbox) -> None:
    assert "ended early: exit status 3" == sandbox.run("import os; os._exit(3)").reason


def test_nothing_is_written_outside(impatient: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "escaped"

    outcome = impatient.run(f"open({str(target)!r}, 'w').write('x')")

    assert outcome.reason.startswith("FileNotFoundError")
    assert not target.exists()


def test_a_listener_on_this_machine_is_out_of_reach(impatient: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]

        outcome = impatient.run(f"import socket; socket.create_connection(('127.0.0.1', {port}))")

        assert not outcome.passed
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_the_environment_is_empty(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIM_LSP_SECRET", "do not tell")

    assert sandbox.run("import os; assert dict(os.environ) == {}").passed


def test_no_process_outlives_its_program(sandbox: Sandbox) -> None:
    """A daemon in a session of its own ends with the program that started it."""
    name = f"stray-{secrets.token_hex(4)}"
    program = (
        "import ctypes, os, time\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        f"    ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0)\n"
        "    time.sleep(60)\n"
        "time.sleep(0.2)"
    )

    assert sandbox.run(program).reason in ("", "time limit")  # its child holds the channel open

    assert _until(lambda: name not in _process_names())


def test_no_program_outlives_an_evaluation_that_is_killed(sandbox: Sandbox) -> None:
    name = f"stray-{secrets.token_hex(4)}"
    program = (
        f"import ctypes, time; ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0); time.sleep(60)"
    )
    evaluation = (
        "from model_runtime.evaluation.sandbox import Limits, Sandbox\n"
        f"Sandbox.open(Limits(seconds=60)).run({program!r})"
    )
    with subprocess.Popen([sys.executable, "-c", evaluation]) as process:
        assert _until(lambda: name in _process_names())
        process.kill()

    assert _until(lambda: name not in _process_names())


def test_programs_do_not_see_what_earlier_ones_left(sandbox: Sandbox) -> None:
    assert sandbox.run("open('/tmp/left', 'w').write('x')").passed
    assert "" == sandbox.run("import os; assert os.listdir('/tmp') == []").reason


def test_verdicts_repeat_where_the_order_of_a_set_matters(sandbox: Sandbox) -> None:
    program = "assert list({'a', 'b', 'c', 'd', 'e'})[:2] == ['a', 'b']"

    assert 1 == len({sandbox.run(program).passed for _ in range(4)})


def test_several_threads_share_a_sandbox(sandbox: Sandbox) -> None:
    programs = [f"assert {number} % 2" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        passed = [outcome.passed for outcome in pool.map(sandbox.run, programs)]

    assert [bool(number % 2) for number in range(12)] == passed


def test_every_isolation_that_holds_here_decides_alike() -> None:
    holding = [i for i in (Isolation.BUBBLEWRAP, Isolation.NAMESPACES) if not weakness(i)]

    for isolation in holding:
        sandbox = Sandbox(isolation)
        assert "" == sandbox.run("assert sum(range(5)) == 10").reason
        assert not sandbox.run("import sys; sys.exit(0)").passed


def test_no_isolation_is_believed_without_trying_it() -> None:
    """Limits alone do not survive the probe, which is how a broken isolation would be found out."""
    assert weakness(Isolation.NONE)


def test_a_machine_that_cannot_confine_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sandbox_module,
        "_working_isolation",
        lambda: (Isolation.NONE, ("bubblewrap: not installed",)),
    )

    with pytest.raises(SandboxUnavailable, match="bubblewrap: not installed"):
        Sandbox.open()
    assert Isolation.NONE is Sandbox.open(allow_unsandboxed=True).isolation


def test_without_isolation_the_nonce_still_decides() -> None:
    sandbox = Sandbox(Isolation.NONE)

    assert sandbox.run("x = 1").passed
    assert not sandbox.run("import os; os._exit(0)").passed


def test_a_sandbox_that_does_not_start_gives_no_verdict(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interpreter that fails must not count as a program that fails."""
    monkeypatch.setattr(sandbox_module, "base_python", lambda: ["/bin/false"])

    with pytest.raises(SandboxBroken, match="did not start"):
        sandbox.run("x = 1")


def _until(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not is_so():
        time.sleep(0.05)
    return is_so()


def _process_names() -> set[str]:
    names = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            names.add(path.read_text().strip())
        except OSError:  # it ended meanwhile
            continue
    return names
