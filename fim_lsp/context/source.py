"""Where a snippet comes from."""

from __future__ import annotations

from collections.abc import Iterable
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

FILE_SOURCES = frozenset({Source.IMPORTS, Source.TWIN, Source.SIBLINGS})
"""Those that look at files which are not open, too."""


def sources_of(wanted: bool | Iterable[str]) -> frozenset[Source]:
    """The sources that are named; all for True, none for False.  Names of none are passed over.

    >>> [source.value for source in sources_of(["open", "stars"])]
    ['open']
    >>> len(sources_of(True)), len(sources_of(False))
    (5, 0)
    """
    if isinstance(wanted, bool):
        return EVERY_SOURCE if wanted else frozenset()
    names = frozenset(wanted)
    return frozenset(source for source in Source if source.value in names)
