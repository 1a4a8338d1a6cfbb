"""How files lie to each other, by their names alone."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_TEST_AFFIX = re.compile(r"^(test[_-]?|)(.+?)([._-]?(test|tests|spec)|)$", re.IGNORECASE)
_C_PAIRS = ({".c", ".h"}, {".cpp", ".hpp"}, {".cc", ".h"}, {".cc", ".hh"}, {".cpp", ".h"})


def is_twin(path: str, other: str) -> bool:
    """Whether one tests the other, or declares what the other implements.

    >>> is_twin("shop/stock.py", "tests/test_stock.py"), is_twin("a/list.c", "a/list.h")
    (True, True)
    >>> is_twin("src/cart.ts", "src/cart.spec.ts"), is_twin("a/stock.py", "b/stock.py")
    (True, False)
    """
    one, two = PurePosixPath(path), PurePosixPath(other)
    if one.suffix != two.suffix:
        return one.stem == two.stem and {one.suffix, two.suffix} in _C_PAIRS
    return _subject(one.stem) == _subject(two.stem) and _is_test(one.stem) != _is_test(two.stem)


def are_siblings(path: str, other: str) -> bool:
    """Whether they lie in the same folder and are of one kind."""
    one, two = PurePosixPath(path), PurePosixPath(other)
    return one.parent == two.parent and one.suffix == two.suffix and one != two


def subject_of(path: str) -> str:
    """What a file is about: its name without the mark of a test, in small letters.

    >>> subject_of("tests/test_stock.py"), subject_of("src/Stock.ts")
    ('stock', 'stock')
    """
    return _subject(PurePosixPath(path).stem)


def _subject(stem: str) -> str:
    found = _TEST_AFFIX.match(stem)
    return found[2].lower() if found else stem.lower()


def _is_test(stem: str) -> bool:
    return _subject(stem) != stem.lower()
