"""Reads the snippets of the pages in docs, which the tests try exactly as written."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def section(heading: str) -> str:
    """Returns the text under a page's title or a heading of its second level, up to the next one."""
    pattern = re.compile(rf"(?:\A#|^##) {re.escape(heading)}\n(.*?)(?=^## |\Z)", re.M | re.S)
    found = [
        text for page in DOCS.glob("*.md") for text in pattern.findall(page.read_text("utf-8"))
    ]
    assert len(found) == 1, f"{len(found)} pages in docs have a heading {heading}"
    return found[0]


def snippets(heading: str, language: str) -> list[str]:
    """Returns the code blocks of a section in one language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(heading), re.M | re.S)
