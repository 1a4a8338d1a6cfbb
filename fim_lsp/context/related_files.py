"""Tells how two files are related, by their names alone."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_TEST_AFFIX = re.compile(r"^(test[_-]?|)(.+?)([._-]?(test|tests|spec)|)$", re.IGNORECASE)
_C_PAIRS = ({".c", ".h"}, {".cpp", ".hpp"}, {".cc", ".h"}, {".cc", ".hh"}, {".cpp", ".h"})


def is_test_or_header(path: str, other: str) -> bool:
    """Tells whether one file tests the other, or declares what the other implements.

    >>> is_test_or_header("shop/stock.py", "tests/test_stock.py")
    True
    >>> is_test_or_header("a/list.c", "a/list.h")
    True
    >>> is_test_or_header("a/stock.py", "b/stock.py")
    False
    """
    one, two = PurePosixPath(path), PurePosixPath(other)
    if one.suffix != two.suffix:
        return one.stem == two.stem and {one.suffix, two.suffix} in _C_PAIRS
    return _subject(one.stem) == _subject(two.stem) and _is_test(one.stem) != _is_test(two.stem)


def in_same_folder(path: str, other: str) -> bool:
    """Tells whether two files of one kind lie in the same folder."""
    one, two = PurePosixPath(path), PurePosixPath(other)
    return one.parent == two.parent and one.suffix == two.suffix and one != two


def subject_of(path: str) -> str:
    """Returns the name of a file without the mark of a test, in small letters.

    >>> subject_of("tests/test_stock.py"), subject_of("src/Stock.ts")
    ('stock', 'stock')
    """
    return _subject(PurePosixPath(path).stem)


def _subject(stem: str) -> str:
    found = _TEST_AFFIX.match(stem)
    return found[2].lower() if found else stem.lower()


def _is_test(stem: str) -> bool:
    return _subject(stem) != stem.lower()
