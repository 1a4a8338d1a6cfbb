r"""Counts the lines of a project, to tell how a line went on that began like this one.

Counts whole lines, and lines below the line above them, over the texts of a workspace: a cache
model as in Hellendoorn and Devanbu ("Are deep neural networks the best choice for modeling
source code?", ESEC/FSE 2017) with lines in the place of tokens, since the rest of a line is what is
asked for.  Indentation and blank lines do not count.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

MAX_LINES = 60_000
"""Lines of all files together: some 20 MB."""
_MAX_CHARACTERS = 200
"""Characters of a line; longer ones are data."""
_MIN_START = 3
"""Characters that a line must have before it is looked for without the line above."""
_LINES_ABOVE = 8
"""Distance of the line above; more blank lines are another place."""


class Proposal(NamedTuple):
    """The rest of the cursor's line, as the project has written it."""

    text: str
    num_continued: int
    """Lines that started this way and continued with `text`."""
    num_started: int
    """All lines that started this way."""
    is_under_same_line: bool
    """Whether only lines below the same line are counted."""

    @property
    def probability(self) -> float:
        """Estimated probability that the line goes on so here as well, rather too low.

        The share, less something for having been seen seldom, squared.  In replays, of what was
        seen once one in five was right, of what was seen twice and always so a half to three
        quarters, of what was seen more often and always so all but a few.

        >>> [round(Proposal("", *seen, True).probability, 2) for seen in ((1, 1), (2, 2), (2, 4))]
        [0.04, 0.31, 0.09]
        """
        return ((self.num_continued - 0.75) / (self.num_started + 0.25)) ** 2


class LineIndex:
    """The lines of a workspace's files.  Incremental and bounded; belongs to one thread."""

    def __init__(self, max_lines: int = MAX_LINES) -> None:
        self._max_lines = max_lines
        self._num_lines = 0
        self._files: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        """Lines of each file; the file that was added last stands last."""
        self._under: dict[str, Counter[str]] = {}
        """Counts of lines, by the line above them."""
        self._starting: dict[str, Counter[str]] = {}
        """Counts of lines, by their first characters."""

    def add(self, path: str, text: str) -> None:
        """Counts the lines of a file, in the place of those that it had.

        Costs a comparison of its lines, and a step for each that changed.  With too many lines in
        all, the files that were added longest ago are forgotten.
        """
        lines = tuple(islice(_lines(text), self._max_lines))
        old = self._files.pop(path, ())
        self._files[path] = lines
        self._num_lines += len(lines) - len(old)
        head = _common(old, lines)
        tail = _common(old[head:][::-1], lines[head:][::-1])
        self._count(old, head, len(old) - tail, -1)
        self._count(lines, head, len(lines) - tail, 1)
        while self._num_lines > self._max_lines:
            self.forget(next(iter(self._files)))

    def add_if_room(self, path: str, text: str) -> None:
        """Counts the lines of a file, if no other file must go for it."""
        if self._num_lines + text.count("\n") < self._max_lines:
            self.add(path, text)

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def forget(self, path: str) -> None:
        """Forgets a file."""
        lines = self._files.pop(path, ())
        self._num_lines -= len(lines)
        self._count(lines, 0, len(lines), -1)

    @property
    def num_lines(self) -> int:
        """Lines of all files together."""
        return self._num_lines

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the files that are known."""
        return tuple(self._files)

    def propose(self, prefix: str) -> Iterator[Proposal]:
        """Yields how the cursor's line may go on: first by the line above, then by itself."""
        above, start = _place(prefix)
        if above:
            yield from _best(self._under.get(above), start, is_under_same_line=True)
        if len(start) >= _MIN_START:
            bucket = self._starting.get(start[:_MIN_START])
            yield from _best(bucket, start, is_under_same_line=False)

    def _count(self, lines: Sequence[str], start: int, end: int, step: int) -> None:
        """Counts lines[start:end], and the pairs that one of them belongs to."""
        for line in lines[start:end]:
            _add(self._starting, line[:_MIN_START], line, step)
        for above, line in pairwise(lines[max(0, start - 1) : end + 1]):
            _add(self._under, above, line, step)


def _best(
    lines: Counter[str] | None, start: str, *, is_under_same_line: bool
) -> Iterator[Proposal]:
    found = [(count, line) for line, count in (lines or {}).items() if line.startswith(start)]
    num_started = sum(count for count, _ in found)
    num_continued, line = max(found, default=(0, ""))
    if len(line) > len(start):
        yield Proposal(line[len(start) :], num_continued, num_started, is_under_same_line)


def _add(counts: dict[str, Counter[str]], key: str, line: str, step: int) -> None:
    under = counts.get(key)
    if under is None:
        under = counts[key] = Counter()
    under[line] += step
    if not under[line]:
        del under[line]
        if not under:
            del counts[key]


def _lines(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        bare = line.strip()
        if bare:
            # One object for a line that comes often; a longer one matches nothing.
            yield sys.intern(bare if len(bare) <= _MAX_CHARACTERS else "")


def _place(prefix: str) -> tuple[str, str]:
    """Returns the line above the cursor's, and the text before the cursor."""
    *above, line = prefix.rsplit("\n", _LINES_ABOVE)
    bare = (one.strip() for one in reversed(above[1:] if len(above) == _LINES_ABOVE else above))
    return next((one for one in bare if one), ""), line.lstrip()


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns the length of the common beginning."""
    length = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine is not theirs:
            break
        length += 1
    return length
