"""Spans of syntax nodes in a Python document, in characters."""

from __future__ import annotations

import ast
import bisect
import random
import re
import warnings
from typing import NamedTuple

Span = tuple[int, int]
Placed = ast.expr | ast.stmt | ast.keyword
"""Nodes that know where they are."""
KINDS = {"statement": 0.3, "expression": 0.25, "arguments": 0.25, "body": 0.2}
"""What a hole may be, and how often it is tried first."""
LONGEST = 700
"""Characters of a hole; as Mellum's (arXiv:2510.05788)."""
_NEWLINE = re.compile(r"\r\n|\r|\n")


class Function(NamedTuple):
    """A function definition, from the line of its first decorator to its last line."""

    start: int
    end: int
    body: int
    """Where the code after the docstring begins."""
    weight: float
    """How much it looks like one that stands alone: at the margin, with a docstring."""


class Syntax:
    """All spans of one document; no spans at all if it does not parse."""

    def __init__(self, text: str) -> None:
        self.spans: dict[str, list[Span]] = {kind: [] for kind in KINDS}
        self.functions: list[Function] = []
        # ast counts lines so: a lone carriage return ends one, a form feed does not.
        self._lines = _NEWLINE.split(text)
        self._begins = [0, *(found.end() for found in _NEWLINE.finditer(text))]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        self._collect(tree)
        for spans in self.spans.values():
            spans.sort()
        self.functions.sort()

    def _place(self, line: int, column: int) -> int:
        """Offset of a place that ast gives as line from 1 and column in UTF-8 bytes."""
        content = self._lines[line - 1]
        if not content.isascii():
            column = len(content.encode()[:column].decode(errors="ignore"))
        return self._begins[line - 1] + column

    def _span(self, first: Placed, last: Placed) -> Span:
        return (
            self._place(first.lineno, first.col_offset),
            self._place(last.end_lineno or last.lineno, last.end_col_offset or 0),
        )

    def _collect(self, tree: ast.AST) -> None:
        stack = [tree]
        while stack:
            node = stack.pop()
            stack.extend(ast.iter_child_nodes(node))
            if isinstance(node, ast.stmt):
                self.spans["statement"].append(self._span(node, node))
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    self._function(node)
            elif isinstance(node, ast.expr) and not isinstance(node, (ast.Name, ast.Constant)):
                self.spans["expression"].append(self._span(node, node))
                parts: list[Placed] = (
                    [*node.args, *node.keywords] if isinstance(node, ast.Call) else []
                )
                if parts:
                    spans = [self._span(part, part) for part in parts]
                    span = min(start for start, _ in spans), max(end for _, end in spans)
                    self.spans["arguments"].append(span)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        has_doc = ast.get_docstring(node, clean=False) is not None
        end = self._span(node, node)[1]
        if has_doc and len(node.body) == 1:
            return  # nothing but a docstring
        body = self._span(node.body[has_doc], node.body[-1])
        self.spans["body"].append(body)
        first_line = min([node.lineno, *(entry.lineno for entry in node.decorator_list)])
        weight = (1.0 + has_doc) * (1.0 + 4.0 * (node.col_offset == 0))
        self.functions.append(Function(self._begins[first_line - 1], end, body[0], weight))

    def draw(self, start: int, end: int, rng: random.Random) -> Span | None:
        """A node inside a window, as offsets in the document."""
        first = rng.choices(list(KINDS), list(KINDS.values()))[0]
        for kind in (first, *KINDS):
            spans = self.spans[kind]
            low, high = bisect.bisect_left(spans, (start, 0)), bisect.bisect_left(spans, (end, 0))
            for _ in range(8 if high > low else 0):
                found = spans[rng.randrange(low, high)]
                if found[1] <= end and found[1] - found[0] <= LONGEST:
                    return found
        return None
