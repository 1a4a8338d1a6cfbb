"""Where a snippet comes from."""

from __future__ import annotations

from enum import Enum


class Source(Enum):
    """Names as in the decision trail; of equally good snippets the earlier source's come first."""

    IMPORTS = "imports"
    """The definition of a name that this file imports."""
    EDITS = "edits"
    """Where another document was edited last."""
    OPEN = "open"
    """Any other region of an open document."""
    TWIN = "twin"
    """The test of this file, or the file that this one tests; the declarations of a C file."""
    SIBLINGS = "siblings"
    """A file of the same folder."""


EVERY_SOURCE = frozenset(Source)
