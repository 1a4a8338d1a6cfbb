"""Drives a real Emacs with a home of its own: keys go through tmux, Lisp through Emacs' server."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

TIMEOUT_SECONDS = 60.0

# What a fresh Emacs would ask or say, and what a user has from the package manager.
_PRELUDE = """
(setq inhibit-startup-screen t create-lockfiles nil make-backup-files nil ring-bell-function #'ignore
      native-comp-jit-compilation nil server-name "tests" server-socket-dir "{socket}")
(require 'server)
(server-start)
(dolist (folder (directory-files "{packages}" t "^[^.]"))
  (when (file-directory-p folder) (add-to-list 'load-path folder)))
(load "lsp-mode-autoloads" t t)
(setq lsp-session-file "{home}/session" lsp-auto-guess-root t lsp-client-packages nil
      lsp-enable-snippet nil lsp-lens-enable nil lsp-headerline-breadcrumb-enable nil
      lsp-warn-no-matched-clients nil)
"""


class Emacs:
    """A running Emacs in a terminal; the caller closes it."""

    def __init__(self, home: Path, path: str, packages: str, init: str, file: Path) -> None:
        tmux = shutil.which("tmux")
        assert tmux, "tmux is not installed; run the editor suite with: make test-editors"
        # Paths of sockets may be no longer than 100 characters.
        self._tmux = [tmux, "-f", "/dev/null", "-L", f"fim-lsp-{os.getpid()}-{id(self)}"]
        socket = home / "s"
        socket.mkdir(parents=True, mode=0o700)
        prelude = _PRELUDE.format(socket=socket, packages=packages, home=home)
        (home / "init.el").write_text(prelude + init, "utf-8")
        self._client = ["emacsclient", "-s", str(socket / "tests"), "--eval"]
        command = ["env", f"HOME={home}", f"PATH={path}", "TERM=screen-256color"]
        command += ["emacs", "-nw", "-Q", "-l", str(home / "init.el"), str(file)]
        self._run("new-session", "-d", "-x", "100", "-y", "30", *command)

    def _run(self, *arguments: str) -> str:
        run = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, text=True, timeout=30, check=True
        )
        return run.stdout

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Presses keys, which are named as in tmux."""
        self._run("send-keys", *keys)

    def lisp(self, code: str) -> str:
        """Returns the printed value of a form; empty while Emacs does not answer."""
        run = subprocess.run(
            [*self._client, code], capture_output=True, text=True, timeout=60, check=False
        )
        return run.stdout.strip()

    def screen(self) -> str:
        """Returns the text on the terminal."""
        return self._run("capture-pane", "-p")

    def until(self, what: Callable[[], object], wanted: str) -> None:
        """Waits until `what()` is true.

        Raises:
            AssertionError: with the screen, if that does not come within the time limit.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if what():
                return
            time.sleep(0.1)
        raise AssertionError(f"{wanted}: not seen; screen\n{self.screen()}")

    def until_shown(self, *texts: str) -> None:
        self.until(lambda: all(text in self.screen() for text in texts), repr(texts))

    def close(self) -> None:
        self.lisp("(let ((kill-emacs-hook nil)) (kill-emacs))")
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
