"""Prints what CHANGELOG.md says of a version, for the page of its release.

    python -m scripts.release_notes v0.2.0

A release is refused where the tag, the package, the extension and the two changelogs do not name
the same version.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def notes(tag: str, root: Path = ROOT) -> str:
    """Returns the section of the changelog for a tag such as `v0.2.0`.

    Raises:
        ValueError: a file names another version than the tag; all of them are in the message.
    """
    version = tag.removeprefix("v")
    section = _section((root / "CHANGELOG.md").read_text("utf-8"), version)
    package = re.search(
        r'^version = "(.+)"$', (root / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    extension = json.loads((root / "vscode-client/package.json").read_text("utf-8"))
    found = {
        "pyproject.toml": package[1] if package else "none",
        "vscode-client/package.json": extension["version"],
    }
    problems = [
        f"{name} has version {is_now}" for name, is_now in found.items() if is_now != version
    ]
    problems += ["CHANGELOG.md has no section for it"] if section is None else []
    their = _section((root / "vscode-client/CHANGELOG.md").read_text("utf-8"), version)
    problems += ["vscode-client/CHANGELOG.md has no section for it"] if their is None else []
    if section is None or problems:
        raise ValueError(f"the tag {tag} is no release: {'; '.join(problems)}")
    return section


def _section(text: str, version: str) -> str | None:
    """Returns what stands below the heading of a version, without the heading; None without one."""
    heading = re.escape(version)
    found = re.search(rf"^## \[?{heading}\]?(?: [^\n]*)?\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return f"{found[1].strip()}\n" if found else None


def main() -> int:
    """Prints the notes; returns 1 where the tag is no release."""
    try:
        print(notes(sys.argv[1]), end="")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
