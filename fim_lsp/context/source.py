"""Names the sources that a snippet may come from."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Source(Enum):
    """Kinds of chunks of other files; equally good ones come in the order of these.

    The values are the names in manifests, settings and traces.
    """

    IMPORTS = "imports"
    """The definition of a name that this file imports."""
    EDITS = "edits"
    """The chunk of another document that was edited last."""
    OPEN = "open"
    """Any other chunk of an open document."""
    TEST_OR_HEADER = "twin"
    """The test of this file, or the file that this one tests; the declarations of a C file."""
    SAME_FOLDER = "siblings"
    """A file of the same folder."""


EVERY_SOURCE = frozenset(Source)

FILE_SOURCES = frozenset({Source.IMPORTS, Source.TEST_OR_HEADER, Source.SAME_FOLDER})
"""Sources that look at files which are not open, too."""


def sources_of(wanted: bool | Iterable[str]) -> frozenset[Source]:
    """Returns the sources that are named; all for True, none for False; other names are ignored.

    >>> [source.value for source in sources_of(["open", "stars"])]
    ['open']
    >>> len(sources_of(True)), len(sources_of(False))
    (5, 0)
    """
    if isinstance(wanted, bool):
        return EVERY_SOURCE if wanted else frozenset()
    names = frozenset(wanted)
    return frozenset(source for source in Source if source.value in names)
