"""Runs a program under strace, and says from the record whom it called and where it wrote.

The kernel's view: a hook in Python would not see the threads of a C++ library.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_NETWORK = ("connect", "sendto", "sendmsg", "sendmmsg")
_PATHS = ("open", "openat", "creat", "mkdir", "mkdirat", "rename", "renameat", "renameat2")
_LINKS = ("link", "linkat", "symlink", "symlinkat", "mknod", "mknodat")
_CALL = re.compile(r"^\d+ +(\w+)\((.*)")
_FOLDER = re.compile(r"^\w+<(/[^>]*)>")
"""Folder in which a relative path begins, as `-y` shows it."""
_RESOLVER = ("/etc/resolv.conf", "/etc/hosts", "/etc/gai.conf")
"""Files that the C library reads when a name is looked up, whether or not there is a network."""


class Trace:
    """A program to be run, with a home and a temporary folder of its own, and the record of it."""

    def __init__(self, folder: Path) -> None:
        self.home, self.temporary = folder / "home", folder / "tmp"
        self._log = folder / "strace.log"
        for made in (self.home, self.temporary):
            made.mkdir(parents=True)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the caller's: with CI set, ONNX Runtime reports nothing by itself."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def command(self, *arguments: str) -> list[str]:
        """Returns the command that runs Python with these arguments, and all it starts, under strace."""
        strace = shutil.which("strace")
        assert strace is not None, "this test needs strace: apt-get install strace"
        calls = ",".join((*_NETWORK, *_PATHS, *_LINKS))
        options = ["-f", "-qq", "--seccomp-bpf", "-y", "-s", "4096", "-e", f"trace={calls}"]
        return [strace, *options, "-o", str(self._log), sys.executable, *arguments]

    def calls_out(self) -> list[str]:
        """Calls that reach for another machine, or for the name of one."""
        return [
            f"{name}({rest}"
            for name, rest in self._calls()
            if (name in _NETWORK and "sa_family=AF_INET" in rest)
            or (name in _PATHS and any(f'"{path}"' in rest for path in _RESOLVER))
        ]

    def written(self) -> set[Path]:
        """Returns the paths that were opened for writing, made, or renamed to."""
        found = set()
        for name, rest in self._calls():
            if name in _NETWORK or (name.startswith("open") and not _is_writing(rest)):
                continue
            folder = _FOLDER.match(rest)
            quoted = re.findall(r'"([^"]*)"', rest)
            target = quoted[-1] if name.startswith(("rename", "link", "symlink")) else quoted[0]
            found.add(Path(folder[1] if folder else ROOT, target))
        return found

    def written_elsewhere(self) -> set[Path]:
        """Returns the paths written outside of the folders that the documentation names."""
        own = [
            self.home / ".local" / "share" / "fim-lsp",
            self.home / ".local" / "state" / "fim-lsp",
            self.home / ".cache" / "fim-lsp",
        ]
        above = {parent for folder in own for parent in folder.parents}
        return {
            path
            for path in self.written() - above
            if path.parts[1] not in ("dev", "proc")
            and not any(path.is_relative_to(folder) for folder in own)
        }

    def _calls(self) -> list[tuple[str, str]]:
        if not self._log.exists():
            return []
        lines = self._log.read_text(errors="replace").splitlines()
        return [(call[1], call[2]) for line in lines if (call := _CALL.match(line))]


def _is_writing(arguments: str) -> bool:
    return any(flag in arguments for flag in ("O_WRONLY", "O_RDWR", "O_CREAT"))
