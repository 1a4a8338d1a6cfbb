"""Decides how many threads an engine takes: half of the cores, for an editor runs on them as well.

On a busy machine a thread for each core is worse than useless: the threads of one product wait for
each other, spinning, while another program has the core.  Of a large model a key takes so long that
a second thread pays even where there are only two cores (docs/notes/threads.md).
"""

from __future__ import annotations

from model_runtime.hardware import usable_cores

LARGE_WEIGHTS = 2**26
"""Weights from which on a model is large: its engine's forms and threads are chosen with care."""


def usable_threads(wanted: int, most: int, *, weights: int = 0) -> int:
    """Returns the number that is asked for, but no more than there are cores.

    Args:
        wanted: 0 for half of the cores that this process may use; for a large model two at least.
        most: the most that 0 may stand for.
        weights: number of weights of the model.
    """
    cores = usable_cores()
    least = 2 if weights >= LARGE_WEIGHTS else 1
    return min(cores, wanted or min(most, max(least, cores // 2)))
