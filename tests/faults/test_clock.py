"""A wall clock that jumps a day, forwards and back, while people type; time itself goes on.

The clock is set by libfaketime (`apt-get install faketime`), in a file that the process reads anew
at each question for the time.
"""

from __future__ import annotations

import glob
import re
import shutil
from pathlib import Path

from tests.faults.servers import ENGINE, Home, serving
from tests.faults.tally import Tally
from tests.faults.test_disks import leave, shown
from tests.faults.test_killed import total

JUMPS = ("+1d", "-1d", "+400d", "+0")


def library() -> str:
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    assert found and shutil.which("faketime"), "install it: apt-get install faketime"
    return found[0]


def test_a_clock_that_jumps_changes_nothing(home: Home, tally: Tally, tmp_path: Path):
    count = tally.of("wall clock jumps a day and more")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    faked = {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    with serving(home, ENGINE, env=faked) as server:
        server.become_ready(debounceMs=0, projectMemory=False, unloadAfterMinutes=60)
        usual = server.complete()
        for jump in JUMPS:
            clock.write_text(jump)
            count.injected += 1
            assert usual == server.complete()
            server.type(5)
            count.requests, count.answered = count.requests + 6, count.answered + 6
            count.survived += 1
        assert total(home.counts) >= 10
        assert not [m for m in server.wire.seen() if "unloaded" in str(m)]
        count.errors_shown = len(shown(server))
        leave(server)
        days = set(re.findall(r"^20\d\d-\d\d-\d\d", server.read_log(), re.MULTILINE))
        assert len(days) >= 3, "the clock did not jump"
