"""Reads a git repository without running what it names.

A repository's own settings may name programs: a monitor of its files, a transport for objects that
are missing, a filter, a pager, a tool that compares.  Whoever opens a folder of somebody else's
would run them.  So git is started here only, with all of these off, without the user's settings
and environment, and only for commands that convert no file's content.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from model_runtime.errors import GitError

_READING = frozenset({"cat-file", "diff-tree", "ls-files", "ls-tree", "rev-list", "rev-parse"})
"""Commands that apply no filter, no comparison and no conversion that `.gitattributes` asks for."""
_OFF = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.sshCommand": "false",
    "core.gitProxy": "false",
    "core.askPass": "false",
    "core.pager": "cat",
    "core.attributesFile": os.devnull,
    "credential.helper": "",
    "diff.external": "",
    "gpg.program": "false",
    "log.showSignature": "false",
    "protocol.allow": "never",
    "safe.bareRepository": "explicit",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
"""Variables of the environment that git gets; `GIT_DIR`, `GIT_SSH_COMMAND` and the like are not."""


def git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Returns what git prints, of a command that only reads.

    Args:
        folder: a folder in a work tree, or a repository.
        arguments: a command of git's, and what belongs to it.
        given: text that git reads from its standard input.

    Raises:
        GitError: there is no git, or it fails; its own first line is in the message.
    """
    if arguments[0] not in _READING:
        raise ValueError(f"git {arguments[0]} may run what a repository names")
    off = [word for name, value in _OFF.items() for word in ("-c", f"{name}={value}")]
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        done = subprocess.run(
            ["git", "--no-pager", "-C", str(folder), *off, *arguments],
            input=given,
            capture_output=True,
            check=False,
            env={**kept, **_ENVIRONMENT},
        )
    except FileNotFoundError:
        raise GitError("there is no git; install it") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(f"git {arguments[0]}: {said[0] if said else 'failed'}")
    return done.stdout
