"""Tests that the film of the first minutes in Neovim can be taken again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.editors.conftest import program
from tests.editors.first_minutes import COLUMNS, FILE, ROWS, Walk, at_home, walk
from tests.support.camera import Camera

pytestmark = [pytest.mark.editor, pytest.mark.slow]

MAX_DECISIONS = 10
CLASS = '''\
"""A ring buffer."""

from collections.abc import Iterator


class RingBuffer:
    """Keeps the last values."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("size must be positive")'''
TYPED = "self.values: l"


def test_ten_decisions_lead_from_the_first_line_to_an_accepted_suggestion(
    tmp_path: Path, path_with_server: str
):
    home = tmp_path / "home"
    neovim = program("FIM_LSP_NVIM", "Neovim")
    with at_home(home, {"PATH": path_with_server}, neovim) as terminal:
        camera = Camera(terminal, columns=COLUMNS, rows=ROWS)
        walked = walk(camera, home, Walk("default", "default will be used", CLASS, TYPED))

    last = (home / FILE).read_text("utf-8").splitlines()[-1].strip()
    assert last.startswith(TYPED)
    assert last != TYPED
    assert walked.decisions <= MAX_DECISIONS
