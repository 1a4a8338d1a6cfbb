"""Decides how many threads an engine takes: never all cores, for an editor runs on them as well.

On a busy machine a thread for each core is worse than useless: the threads of one product wait for
each other, spinning, while another program has the core.
"""

from __future__ import annotations

from model_runtime.hardware import usable_cores


def usable_threads(wanted: int, most: int) -> int:
    """Returns the number that is asked for, but no more than there are cores.

    Args:
        wanted: 0 for half of the cores that this process may use.
        most: the most that 0 may stand for.
    """
    cores = usable_cores()
    return min(wanted, cores) if wanted else min(most, max(1, cores // 2))
