"""Finds spans of syntax nodes in a document, in characters.

tree-sitter reads what does not parse, too: spans then come from the parts that do.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from model_runtime.syntax.languages import language_id
from model_runtime.training.grammars import grammar

Span = tuple[int, int]
KINDS = {"statement": 0.3, "expression": 0.25, "arguments": 0.25, "body": 0.2}
"""Kinds of nodes that may be holes, and how often each is tried first."""
MAX_NODE_CHARACTERS = 700
"""Most characters of a hole; as Mellum's (arXiv:2510.05788)."""
_TRIES = 8


class Function(NamedTuple):
    """A function definition, from the line of its first decorator to its end."""

    start: int
    end: int
    body: Span
    """Span of the code after the docstring, without braces."""
    weight: float
    """Likeness to a function that stands alone: at the margin, with a docstring."""


class Syntax:
    """All spans of one document; none at all if its language has no grammar here."""

    def __init__(self, text: str, path: str = "x.py") -> None:
        self.spans: dict[str, list[Span]] = {kind: [] for kind in KINDS}
        self.functions: list[Function] = []
        found = grammar(language_id(path)) if text else None
        if found is None:
            return
        self._text = text
        data = text.encode("utf-8", "surrogatepass")
        self._places = _places(text, data)
        has_error, nodes = found.captures(data)
        if has_error:
            nodes = {
                name: [node for node in every if not node.has_error]
                for name, every in nodes.items()
            }
        for kind in ("statement", "expression"):
            self.spans[kind] = self._sorted(map(self._span, nodes.get(kind, ())))
        self.spans["arguments"] = self._sorted(map(self._inside, nodes.get("arguments", ())))
        functions = [self._function(node) for node in nodes.get("function", ())]
        self.functions = sorted(function for function in functions if function is not None)
        self.spans["body"] = self._sorted(function.body for function in self.functions)

    def draw(self, start: int, end: int, rng: random.Random) -> Span | None:
        """Draws a node inside a window, as offsets in the document; None if none fits."""
        first = rng.choices(list(KINDS), list(KINDS.values()))[0]
        for kind in (first, *KINDS):
            spans = self.spans[kind]
            low, high = bisect.bisect_left(spans, (start, 0)), bisect.bisect_left(spans, (end, 0))
            for _ in range(_TRIES if high > low else 0):
                found = spans[rng.randrange(low, high)]
                if found[1] <= end and found[1] - found[0] <= MAX_NODE_CHARACTERS:
                    return found
        return None

    def bodies(self, start: int, end: int) -> list[Span]:
        """Returns the bodies of the functions that begin inside a window."""
        first = bisect.bisect_left(self.functions, (start,))
        last = bisect.bisect_left(self.functions, (end,))
        return [function.body for function in self.functions[first:last]]

    @staticmethod
    def _sorted(spans: Any) -> list[Span]:
        return sorted(span for span in spans if span[0] < span[1])

    def _span(self, node: Any) -> Span:
        return self._places[node.start_byte], self._places[node.end_byte]

    def _inside(self, node: Any) -> Span:
        """Returns the span between the brackets, without white space at its ends."""
        start, end = self._span(node)
        inside = self._text[start + 1 : end - 1]
        start += 1 + len(inside) - len(inside.lstrip())
        return start, start + len(inside.strip())

    def _function(self, node: Any) -> Function | None:
        """Returns a function; None where there is nothing but a docstring, or no body."""
        body = node.child_by_field_name("body")
        if body is None:
            return None
        start, body_end = self._span(body)
        has_doc = False
        if self._text.startswith("{", start):
            start, body_end = self._inside(body)
        else:
            statements = [child for child in body.named_children if child.type != "comment"]
            has_doc = bool(statements) and _is_docstring(statements[0])
            if len(statements) == has_doc:
                return None
            start = self._span(statements[has_doc])[0]
        if start >= body_end:
            return None
        at, end = self._span(node.parent if _is_decorated(node) else node)
        first_line = self._text.rfind("\n", 0, at) + 1
        weight = (1.0 + has_doc) * (1.0 + 4.0 * (at == first_line))
        return Function(first_line, end, (start, body_end), weight)


def _is_decorated(node: Any) -> bool:
    return node.parent is not None and node.parent.type == "decorated_definition"


def _is_docstring(statement: Any) -> bool:
    """Tells whether a statement is a string and nothing else, as only Python's docstrings are."""
    return (
        statement.type == "expression_statement"
        and statement.named_child_count == 1
        and statement.named_child(0).type in ("string", "concatenated_string")
    )


def _places(text: str, data: bytes) -> Sequence[int]:
    """Returns for every offset in UTF-8 the offset in characters."""
    if text.isascii():
        return range(len(data) + 1)
    begins = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80
    return [0, *np.cumsum(begins).tolist()]
