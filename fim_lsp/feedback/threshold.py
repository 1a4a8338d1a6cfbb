"""Adjusts the confidence threshold by at most 0.125 of `eagerness` from its user's acceptance rate.

Where more is taken than the model's calibration expects, a little more is shown; where less, a
little less.  That is half a step of the calibration's table at most, so that nothing falls silent
for good and nothing appears that the neighboring setting would not show.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from fim_lsp.document import DocumentSnapshot
from fim_lsp.feedback import acceptance_store
from fim_lsp.feedback.acceptance_store import Key
from fim_lsp.feedback.outcomes import Group, Outcome, OutcomeTracker
from fim_lsp.suggestion import Completion
from model_runtime.models.calibration import Calibration

MAX_SHIFT = 0.125
"""Change of `eagerness`, in either direction."""
_DOUBLINGS_PER_SHIFT = 2.0
"""Doublings of the expected acceptance, or halvings, that make the largest change."""
_EXPECTED_WEIGHT = 50
"""Suggestions that the calibration counts for; so the first few of a user change nothing."""
_MIN_ACCEPTANCE = 0.01
_WRITE_EVERY = 10


def shift(taken: int, rejected: int, expected: float) -> float:
    """Returns by how much the eagerness changes.

    Args:
        taken: accepted, or typed by hand as suggested.
        rejected: something else was typed in their place.
        expected: share that the calibration expects to be taken.

    >>> shift(0, 0, 0.25), round(shift(40, 10, 0.25), 3), shift(0, 10_000, 0.25)
    (0.0, 0.067, -0.125)
    """
    expected = max(expected, _MIN_ACCEPTANCE)
    found = (taken + expected * _EXPECTED_WEIGHT) / (taken + rejected + _EXPECTED_WEIGHT)
    doublings = math.log2(max(found, _MIN_ACCEPTANCE) / expected)
    return max(-MAX_SHIFT, min(MAX_SHIFT, MAX_SHIFT * doublings / _DOUBLINGS_PER_SHIFT))


def adapted(
    eagerness: float, model: str, calibration: Calibration, known: Mapping[Key, int]
) -> float:
    """Returns the eagerness to use in place of the one that is set; 0 to 1."""
    name = eagerness_name(eagerness)
    number = {outcome: known.get((model, name, outcome.value), 0) for outcome in Outcome}
    taken = number[Outcome.ACCEPTED] + number[Outcome.TYPED]
    moved = eagerness + shift(taken, number[Outcome.REJECTED], calibration.acceptance(eagerness))
    return min(max(moved, 0.0), 1.0)


def eagerness_name(eagerness: float) -> str:
    """Returns a setting of `eagerness` as it is counted.

    >>> eagerness_name(0.5), eagerness_name(1), eagerness_name(0.001)
    ('0.5', '1', '0')
    """
    return f"{round(eagerness, 2):g}"


class ThresholdAdapter:
    """Follows the outcomes of one editor's suggestions, and counts them."""

    def __init__(self, file: Path | None = None) -> None:
        """Takes the file of the counts; by default that of this machine's user."""
        self._file = file
        self._tracker = OutcomeTracker()
        self._new: Counter[Key] = Counter()
        """Counts that are not in the file yet, nor on the way."""
        self._known: Counter[Key] | None = None
        self._is_writing = False

    def observe(self, snapshot: DocumentSnapshot) -> None:
        """Looks, before a request is answered, for the outcome of the suggestion before."""
        self._note(self._tracker.observe(snapshot))

    def show(self, snapshot: DocumentSnapshot, completion: Completion, eagerness: float) -> None:
        """Takes a suggestion that goes to the screen, and the eagerness that is set."""
        self._tracker.show(snapshot, completion, (completion.origin, eagerness_name(eagerness)))

    def accept(self, completion_id: str) -> None:
        """Counts a suggestion that the editor says was accepted."""
        self._note(self._tracker.accept(completion_id))

    def close_document(self, uri: str) -> None:
        """Leaves the outcome open of what was shown in a document."""
        self._tracker.close(uri)

    def eagerness(self, set_: float, model: str, calibration: Calibration) -> float:
        """Returns the eagerness to use in place of the one that is set."""
        if self._known is None:
            self._known = acceptance_store.read(self._path())
        return adapted(set_, model, calibration, self._known)

    def close(self) -> None:
        """Writes what is left; waits for the file."""
        if self._new:
            acceptance_store.add(self._path(), self._new)

    def _note(self, found: tuple[Outcome, Group] | None) -> None:
        if found is None:
            return
        outcome, (source, eagerness) = found
        self._new[source, eagerness, outcome.value] += 1
        if sum(self._new.values()) >= _WRITE_EVERY and not self._is_writing:
            self._is_writing = True
            new, self._new = self._new, Counter()
            work = asyncio.get_running_loop().run_in_executor(
                None, acceptance_store.add, self._path(), new
            )
            work.add_done_callback(lambda done: self._written(new, done.result()))

    def _written(self, new: Counter[Key], all_: Counter[Key] | None) -> None:
        self._is_writing = False
        if all_ is None:
            self._new += new  # for the next time
        else:
            self._known = all_

    def _path(self) -> Path:
        return self._file or acceptance_store.default_file()
