"""Fits the indentation of a suggestion to that of the block where it is to stand.

This is the one filter that may lengthen a text.
"""

from __future__ import annotations

import re

from fim_lsp.document import Indentation
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.languages import Language

_INDENTED = re.compile(r"^([ \t]+)\S", re.MULTILINE)
_LINES_ABOVE = 8
"""Distance of the line that a blank line belongs to."""


def fit_indentation(
    text: str, hole: Hole, language: Language, indentation: Indentation | None = None
) -> str:
    r"""Writes the levels of the lines after the first with what the block uses: tabs or spaces.

    Args:
        indentation: as the editor says, for a cursor in no block; without it the document's lines
            are looked at, and where they say nothing the text stays.

    >>> from model_runtime.syntax.languages import language
    >>> fit_indentation("{\n    a()\n}", Hole("func f() ", "\n\tb()\n"), language("go"))
    '{\n\ta()\n}'
    """
    if "\n" not in text:
        return text
    unit = _unit_of_block(hole, indentation) or _unit(indentation) or _unit_of(hole)
    if language.indents_with and not unit.startswith(language.indents_with):
        # YAML is broken by a tab, whatever the editor says; a recipe of make by spaces.
        unit = _spaces_of(_indented(hole)) or "  " if language.indents_with == " " else "\t"
    own = _one_level(_unit_of(Hole("", text)))
    if not unit or not own or unit[0] == own[0]:
        return text  # the same character: a model that sees the document keeps its width
    first, *lines = text.split("\n")
    return "\n".join([first, *(_with_unit(line, own, unit) for line in lines)])


def _unit(indentation: Indentation | None) -> str:
    if indentation is None:
        return ""
    return " " * indentation.size if indentation.uses_spaces else "\t"


def _unit_of_block(hole: Hole, indentation: Indentation | None) -> str:
    """Returns one level as the block around the cursor writes it; empty at the margin.

    Files in which two people have written hold both, and a block that holds both is broken.
    """
    *above, line = hole.prefix.rsplit("\n", _LINES_ABOVE)
    lines = [line, *([] if line.strip() else reversed(above))]
    line = next((one for one in lines if one.strip() or one[:1] in (" ", "\t")), "")
    if line[:1] == " ":
        white = line[: len(line) - len(line.lstrip(" \t"))]
        return _unit(indentation).strip("\t") or _one_level(_spaces_of([*_indented(hole), white]))
    return "\t" if line[:1] == "\t" else ""


def _unit_of(hole: Hole) -> str:
    """Returns one level as the text writes it: a tab, or the narrowest indentation in spaces."""
    found = _indented(hole)
    tabs = sum(white[0] == "\t" for white in found)
    if not found:
        return ""
    return "\t" if tabs * 2 > len(found) else _spaces_of(found)


def _indented(hole: Hole) -> list[str]:
    """Returns the white space in front of each line that has some."""
    return [match[1] for part in (hole.prefix, hole.suffix) for match in _INDENTED.finditer(part)]


def _spaces_of(found: list[str]) -> str:
    widths = [len(white) for white in found if white[0] == " " and len(white) > 1]
    return " " * min(widths, default=0)


def _one_level(unit: str) -> str:
    """Returns one level of the indentation of a text that may stand several levels deep."""
    divisors = (width for width in (4, 3, 2) if len(unit) > 4 and len(unit) % width == 0)
    return unit[: next(divisors, len(unit))]


def _with_unit(line: str, own: str, unit: str) -> str:
    white = line[: len(line) - len(line.lstrip(" \t"))]
    levels = white.count("\t") if own == "\t" else len(white) // len(own)
    rest = white[levels * len(own) :] if own != "\t" else white.replace("\t", "")
    return unit * levels + rest + line[len(white) :]
