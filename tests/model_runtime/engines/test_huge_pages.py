"""Large memory moves to huge pages where the system has them, and keeps its contents."""

import sys

import numpy as np
import pytest

from model_runtime.engines.huge_pages import Region, move_to_huge_pages, regions

MB = 1 << 20
SMAPS = """\
7f0000000000-7f0002000000 rw-p 00000000 00:00 0
Size:              32768 kB
Rss:               32768 kB
AnonHugePages:         0 kB
VmFlags: rd wr mr mw me ac sd
7f0002000000-7f0004000000 r--p 00000000 fe:00 4711                       /models/decoder.bin
Rss:               32768 kB
AnonHugePages:         0 kB
VmFlags: rd mr mw me sd
559000000000-559000400000 rw-p 00000000 00:00 0                          [heap]
Rss:                3000 kB
AnonHugePages:      2048 kB
VmFlags: rd wr mr mw me ac sd
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
Rss:                  24 kB
VmFlags: rd wr mr mw me gd ac
"""


def test_memory_of_files_and_of_stacks_is_left_alone():
    found = list(regions(iter(SMAPS.splitlines(keepends=True))))

    assert [
        Region(0x7F0000000000, 0x7F0002000000, 32 * MB, 0),
        Region(0x559000000000, 0x559000400000, 3000 * 1024, 2 * MB),
    ] == found


@pytest.mark.parametrize(
    ("resident", "huge", "is_worth_it"),
    [(32, 0, True), (32, 16, True), (32, 32, False), (32, 31, False), (16, 0, False)],
)
def test_memory_that_is_in_use_is_moved_once(resident, huge, is_worth_it):
    """Moving a region takes memory for those of its pages that nobody has written to."""
    assert is_worth_it == Region(0, 32 * MB, resident * MB, huge * MB).is_worth_it


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such pages")
def test_what_is_moved_keeps_its_contents():
    array = np.arange(5_000_000)  # not so large that it asks for them itself

    moved = move_to_huge_pages()

    assert moved >= 0
    assert np.array_equal(np.arange(5_000_000), array)
