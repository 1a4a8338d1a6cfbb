"""Changed files are read, or refused in one sentence; `mutated_files` does 10,000 of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.mutated_files import KINDS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks with limits")


def test_no_changed_file_does_harm(tmp_path: Path):
    """The cases run in a process that has started no thread, for it is forked."""
    code = (
        "import json, sys; from pathlib import Path; from tests.hostile.mutated_files import *\n"
        f"for case, found in run_cases(range({10 * len(KINDS)}), 7, Path(sys.argv[1])):\n"
        "    print(json.dumps([case.kind, case.number, found['fault']]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]

    assert 10 * len(KINDS) == len(told)
    assert [] == [one for one in told if one[2]]
