"""Git folders of an attacker's, that run a program of his when plain git only lists their files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

FILES = {"a/x.py": "def x(): ...\n", "b/y.py": "def y(): ...\n", "z.py": "def z(): ...\n"}
_IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "core.autocrlf=false")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *_IDENTITY, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def sparse(parent: Path, witness: Path) -> Path:
    """A work tree with a sparse index, of which a tree is missing and has to be fetched.

    The remote that has it is reached by a program of the folder's own settings; it touches
    `witness`.
    """
    origin = _committed(parent / "up", FILES)
    git(parent, "clone", "-q", "--no-hardlinks", str(origin), "evil")
    evil = parent / "evil"
    git(evil, "sparse-checkout", "init", "--cone", "--sparse-index")
    git(evil, "sparse-checkout", "set", "a")
    tree = git(evil, "rev-parse", "HEAD:b")
    (evil / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    for name, value in {
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": "ssh://nowhere/x",
        "core.sshCommand": f"sh -c 'touch {witness}; exit 1' #",
    }.items():
        git(evil, "config", name, value)
    return evil


def bare_inside(parent: Path, witness: Path) -> Path:
    """A folder of a plain clone that is a repository itself, with the settings of the other one."""
    inner = sparse(parent, witness) / ".git"
    carrier = parent / "carrier"
    app = carrier / "app"
    app.mkdir(parents=True)
    for name in ("objects", "refs"):
        shutil.copytree(inner / name, app / name)
    for name in ("HEAD", "index", "packed-refs", "config.worktree"):
        if (inner / name).exists():
            shutil.copy(inner / name, app / name)
    for folder in app.rglob("*"):
        if folder.is_dir() and not any(folder.iterdir()):
            (folder / ".keep").write_text("")  # git keeps no empty folder
    (app / "config").write_text(
        "[core]\n\trepositoryformatversion = 1\n\tbare = false\n\tworktree = .\n"
        f"\tsshCommand = \"sh -c 'touch {witness}; exit 1' #\"\n"
        "[extensions]\n\tpartialClone = origin\n\tworktreeConfig = true\n"
        '[remote "origin"]\n\turl = ssh://nowhere/x\n\tpromisor = true\n'
        "\tpartialclonefilter = blob:none\n"
    )
    (app / "main.py").write_text("def main(): ...\n")
    git(carrier, "init", "-q")
    git(carrier, "add", "-f", ".")
    git(carrier, "commit", "-qm", "first")
    git(parent, "clone", "-q", str(carrier), "victim")
    return parent / "victim" / "app"


def with_programs(parent: Path, witness: Path) -> Path:
    """A repository whose settings name programs for whatever git may want to run."""
    folder = _committed(
        parent / "named",
        {"a.py": "x = 1\n", ".gitattributes": "*.py filter=f diff=d\n"},
        {"a.py": "x = 2\n"},
    )
    program = parent / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {witness}\ncat\n")
    program.chmod(0o755)
    hooks = parent / "hooks"
    hooks.mkdir()
    for hook in ("post-index-change", "reference-transaction", "post-checkout"):
        shutil.copy(program, hooks / hook)
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "core.askPass", "diff.external",
                 "diff.d.command", "diff.d.textconv", "filter.f.smudge", "filter.f.clean",
                 "filter.f.process", "pager.ls-files", "pager.rev-list", "gpg.program",
                 "uploadpack.packObjectsHook"):  # fmt: skip
        git(folder, "config", name, str(program))
    git(folder, "config", "core.hooksPath", str(hooks))
    git(folder, "config", "log.showSignature", "true")
    return folder


def _committed(folder: Path, *states: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    for files in states:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "state")
    return folder
