"""Reads the snippets of docs/editors.md, which the tests try exactly as written."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EDITORS = ROOT / "docs" / "editors.md"


def section(heading: str) -> str:
    """Returns the text under a heading of the second level."""
    text = EDITORS.read_text("utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, f"docs/editors.md has no section {heading}"
    return found[1]


def snippets(heading: str, language: str) -> list[str]:
    """Returns the code blocks of a section in one language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(heading), re.M | re.S)
