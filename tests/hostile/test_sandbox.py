"""Ways out of the sandbox that take the kernel's rarer doors; the common ones are in test_sandbox of the evaluation."""

from __future__ import annotations

import os
import struct
import threading

import pytest

from model_runtime.evaluation.isolation import Isolation
from model_runtime.evaluation.sandbox import Limits, Sandbox
from model_runtime.evaluation.system_calls import seccomp_filter

CALLS = (
    "import ctypes, errno, os\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "machine = os.uname().machine\n"
    "def call(number, *arguments):\n"
    "    if isinstance(number, tuple):\n"
    "        number = number[machine != 'x86_64']\n"
    "    return libc.syscall(number, *arguments)\n"
)
"""The programs make system calls by their numbers with this, on x86-64 and 64-bit Arm."""

HOSTILE = {
    "reads a file through io_uring": (
        "ring = call(425, 8, ctypes.create_string_buffer(120))\n"
        "assert ring >= 0, os.strerror(ctypes.get_errno())"
    ),
    "traces the process that watches it": (
        "attach = 16\nassert call((101, 117), attach, os.getppid(), 0, 0) == 0, ctypes.get_errno()"
    ),
    "traces its own child": (
        "child = os.fork()\n"
        "if not child:\n    import time; time.sleep(5); os._exit(0)\n"
        "try:\n    assert call((101, 117), 16, child, 0, 0) == 0, ctypes.get_errno()\n"
        "finally:\n    os.kill(child, 9)"
    ),
    "reads the memory of another process": (
        "here = ctypes.create_string_buffer(8)\n"
        "part = (ctypes.c_void_p * 2)(ctypes.addressof(here), 8)\n"
        "assert call((310, 270), os.getppid(), part, 1, part, 1, 0) == 8, ctypes.get_errno()"
    ),
    "looks for /proc and mounts it": (
        "os.mkdir('/tmp/proc')\n"
        "assert libc.mount(b'proc', b'/tmp/proc', b'proc', 0, None) == 0, ctypes.get_errno()"
    ),
    "opens its own descriptors through /proc": "open('/proc/self/fd/0')",
    "makes a namespace in which it is root": (
        "assert libc.unshare(0x10000000) == 0, ctypes.get_errno()"
    ),
    "clones into a namespace in which it is root": (
        "child = call((56, 220), 0x10000000 | 17, 0, 0, 0, 0)\n"
        "if child == 0:\n    os._exit(0)\n"
        "assert child > 0, ctypes.get_errno()"
    ),
    "clones by the newest call": (
        "arguments = (ctypes.c_uint64 * 11)(0x10000000)\n"
        "child = call(435, arguments, 88)\n"
        "if child == 0:\n    os._exit(0)\n"
        "assert child > 0, ctypes.get_errno()"
    ),
    "takes memory by mmap": (
        "import mmap\nkept = []\nfor _ in range(100):\n"
        "    part = mmap.mmap(-1, 2**26, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)\n"
        "    part.write(b'x' * 2**26)\n    kept.append(part)"
    ),
    "takes memory by mapped files": (
        "import mmap\nkept = []\nfor number in range(100):\n"
        "    file = open(f'/tmp/{number}', 'w+b')\n    file.truncate(2**24)\n"
        "    part = mmap.mmap(file.fileno(), 2**24)\n"
        "    part.write(b'x' * 2**24)\n    part.close()\n    kept.append(file)"
    ),
    "takes memory that belongs to no process": (
        "for _ in range(100):\n"
        "    segment = call((29, 194), 0, 2**26, 0o600)\n"
        "    assert segment >= 0, ctypes.get_errno()\n"
    ),
    "takes memory by files without a name": (
        "kept = []\nfor _ in range(100):\n"
        "    file = os.memfd_create('x')\n    kept.append(file)\n"
        "    os.write(file, bytes(2**23))"
    ),
    "forks after its limits are reached": (
        "children = []\n"
        "kept = []\n"
        "try:\n    while True:\n        kept.append(bytearray(10**6))\n"
        "except MemoryError:\n    del kept[-50:]\n"
        "for _ in range(50):\n    children.append(os.fork() or os._exit(0))"
        .replace("os.fork() or os._exit(0)", "os.fork() or __import__('time').sleep(9)")
    ),
    "swaps a link while it is followed": (
        "import threading\n"
        "open('/tmp/mine', 'w').write('x')\n"
        "os.symlink('/tmp/mine', '/tmp/link')\n"
        "def swap():\n"
        "    for number in range(3000):\n"
        "        os.symlink('/usr/../etc/shadow' if number % 2 else '/tmp/mine', '/tmp/new')\n"
        "        os.rename('/tmp/new', '/tmp/link')\n"
        "thread = threading.Thread(target=swap)\nthread.start()\n"
        "found = set()\n"
        "while thread.is_alive():\n"
        "    try:\n        found.add(open('/tmp/link').read())\n"
        "    except OSError:\n        pass\n"
        "assert found - {'x'}, 'only its own'"
    ),
    "climbs out by a folder that is moved": (
        "os.makedirs('/tmp/a/b/c')\nos.chdir('/tmp/a/b/c')\n"
        "folder = os.open('.', os.O_RDONLY)\n"
        "os.rename('/tmp/a/b/c', '/tmp/c')\n"
        "os.fchdir(folder)\n"
        "open('../../../../../../../root/.bashrc')"
    ),
    "climbs out by chroot": "os.chroot('/tmp')",
    "loads a program into the kernel": "assert call((321, 280), 5, None, 0) >= 0, ctypes.get_errno()",
    "waits in the kernel for page faults": (
        "assert call((323, 282), 0) >= 0, os.strerror(ctypes.get_errno())"
    ),
    "keeps a key in the kernel": (
        "assert call((248, 217), b'user', b'x', b'y', 1, -3) > 0, ctypes.get_errno()"
    ),
    "sets the clock": "import time; time.clock_settime(time.CLOCK_REALTIME, 0)",
    "makes a device": "os.mknod('/tmp/disk', 0o60666, os.makedev(8, 0)); open('/tmp/disk', 'rb').read(1)",
    "runs a program that has privileges": (
        "import subprocess\nassert subprocess.run(['/usr/bin/id', '-u'], "
        "capture_output=True).stdout.strip() == b'0'"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox.open(Limits(seconds=10, memory_mb=512))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_program_does_not_get_out_that(sandbox: Sandbox, name: str):
    outcome = sandbox.run(CALLS + HOSTILE[name])

    assert not outcome.passed
    assert outcome.reason


def test_a_program_writes_to_no_descriptor_that_it_inherits_but_the_channel(sandbox: Sandbox):
    """None of the supervisor's own files and sockets is there."""
    program = (
        "import os\n"
        "found = []\n"
        "for number in range(3, 1024):\n"
        "    try:\n        os.fstat(number); found.append(number)\n"
        "    except OSError:\n        pass\n"
        "assert len(found) <= 3, found\n"
    )
    with open(os.devnull) as ours:
        os.set_inheritable(ours.fileno(), True)
        assert "" == sandbox.run(program).reason


def test_what_is_written_to_inherited_descriptors_is_no_success(sandbox: Sandbox):
    program = (
        "import os\n"
        "for number in range(64):\n"
        "    for text in (b'start\\n', b'passed\\n', b'0' * 32 + b'\\n'):\n"
        "        try:\n            os.write(number, text); os.pwrite(number, text, 0)\n"
        "        except OSError:\n            pass\n"
        "1 / 0"
    )
    assert not sandbox.run(program).passed


def test_memory_that_programs_take_is_bounded_from_outside(sandbox: Sandbox):
    """All processes of a program together: eight with 512 MB of addresses each."""
    import psutil

    program = (
        "import os, time\n"
        "for _ in range(20):\n"
        "    try:\n        child = os.fork()\n"
        "    except OSError:\n        break\n"
        "    if not child:\n        break\n"
        "kept = []\n"
        "try:\n    while True:\n        kept.append(b'x' * 10**6)\n"
        "except MemoryError:\n    pass\n"
        "time.sleep(1)"
    )
    before, least = psutil.virtual_memory().available, [2**62]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.05):
            least[0] = min(least[0], psutil.virtual_memory().available)

    watcher = threading.Thread(target=watch)
    watcher.start()
    Sandbox(sandbox.isolation, Limits(seconds=5, memory_mb=64, processes=4)).run(program)
    is_over.set()
    watcher.join()

    assert before - least[0] < 2**30


def test_honest_programs_need_nothing_of_what_is_forbidden(sandbox: Sandbox):
    program = (
        "import asyncio, os, random, sqlite3, ssl, subprocess, tempfile\n"
        "import threading, time, decimal, fractions, statistics, hashlib, json, re, itertools\n"
        "assert asyncio.run(asyncio.sleep(0, 3)) == 3\n"
        "threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(3)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "assert subprocess.run(['/bin/true']).returncode == 0\n"
        "tempfile.TemporaryFile().write(b'x')\n"
    )
    assert "" == Sandbox(sandbox.isolation, Limits(seconds=20)).run(program).reason


def test_the_filter_is_for_the_machines_whose_calls_are_known():
    assert b"" == seccomp_filter("z80")
    for machine in ("x86_64", "aarch64"):
        steps = [struct.unpack_from("=HBBI", seccomp_filter(machine), at)
                 for at in range(0, len(seccomp_filter(machine)), 8)]  # fmt: skip
        returns = 0x06
        for place, (_, when_true, when_false, _) in enumerate(steps[:-1]):
            assert place + 1 + max(when_true, when_false) < len(steps)
        assert returns == steps[-1][0] == steps[-2][0]


def test_a_program_without_any_isolation_still_lacks_the_forbidden_calls():
    outcome = Sandbox(Isolation.NONE).run(CALLS + HOSTILE["reads a file through io_uring"])

    assert not outcome.passed
