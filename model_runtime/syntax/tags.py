"""Tracks which elements are open in HTML and XML, by their tags alone.

The scan is no parser: it holds for half-finished pages and for templates, and never fails.  Where
it has seen no element open, it takes any closing tag for right: a page may be one of several parts.
"""

from __future__ import annotations

import re

from model_runtime.syntax.languages import Language

_EMPTY = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905
)
"""Elements of HTML that hold nothing and are not closed (HTML, 13.1.2)."""
_CLOSED_WITH_PARENT = frozenset(
    "li p td th tr dt dd option thead tbody tfoot colgroup rt rp optgroup body head html".split()  # noqa: SIM905
)
"""Elements of HTML that need no closing tag (HTML, 13.1.2.4)."""
_TAG = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?P<raw>script|style)\b[^<>]*>.*?(?:</(?P=raw)\s*>|\Z)"
    r"""|<(?P<name>[a-z][\w:.-]*)(?P<more>(?:"[^"]*"|'[^']*'|[^'"<>])*)>"""
    r"|</(?P<closed>[a-z][\w:.-]*)(?P<end>\s*>)?",
    re.DOTALL | re.IGNORECASE,
)


def wrong_closing_tag(prefix: str, text: str, language: Language) -> int | None:
    r"""Returns where `text` closes another element than the innermost open one; None for nowhere.

    Args:
        prefix: text before the cursor, or its end.
        text: what would be written there; its last tag may be half a tag.
        language: of both; without tags nothing is wrong.

    Returns:
        The offset in `text`, 0 for a tag that begins in the prefix.

    >>> from model_runtime.syntax.languages import language
    >>> [wrong_closing_tag("<nav>\n  <ul></", text, language("html")) for text in ("div>", "ul>")]
    [0, None]
    """
    if not language.has_tags:
        return None
    empty = _EMPTY if language.id == "html" else ()
    whole = prefix + text
    open_: list[str] = []
    for tag in _TAG.finditer(whole):
        if tag["name"]:
            name = tag["name"].lower()
            if name not in empty and not tag["more"].endswith("/"):
                open_.append(name)
        elif tag["closed"]:
            name = tag["closed"].lower()
            may_go_on = tag.end() == len(whole) and not tag["end"]
            closable = _closable(open_)
            fits = any(one == name or (may_go_on and one.startswith(name)) for one in closable)
            if open_ and not fits and tag.end() > len(prefix):
                return max(0, tag.start() - len(prefix))
            if name in open_:
                while open_.pop() != name:
                    pass
    return None


def _closable(open_: list[str]) -> list[str]:
    """Returns the elements that may be closed next, the innermost first."""
    found = []
    for name in reversed(open_):
        found.append(name)
        if name not in _CLOSED_WITH_PARENT:
            break
    return found
