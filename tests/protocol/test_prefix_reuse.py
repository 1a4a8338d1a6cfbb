"""Movements in an editor cost the model little, counted through the whole server with ONNX Runtime.

`readTokens` of a trace are the tokens that were run before the first new one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.protocol.conftest import hang_up, token_file
from tests.support.wire import Wire, connect, did_change, free_port, replace

pytestmark = pytest.mark.own

BLOCK = "".join(
    f"def area_{number}(width, height):\n    return width * height + {number}\n\n\n"
    for number in range(12)
)
TEXT = f"import math\n\n\n{BLOCK}def total(shapes):\n    result = \n    return result\n"
LINE, CHARACTER = TEXT[: TEXT.index("result = ")].count("\n"), len("    result = ")
OTHER_TEXT = TEXT.replace("area", "volume").replace("import math", "import os")
ONE, OTHER = "file:///project/one.py", "file:///project/other.py"
FEW = 8
"""Tokens of a key: its word once more, and the sentinel."""


class Editor:
    """Edits two files in one connection; `cost` asks, and tells how many tokens were run."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        settings = {"candidates": 1, "maxNewTokens": 4, "idleWork": False}
        wire.initialize({"initializationOptions": settings})
        wire.notification("fimLsp/status", state="ready")
        self._version = 1
        wire.open(TEXT, uri=ONE)
        wire.open(OTHER_TEXT, uri=OTHER)

    def edit(self, start: tuple[int, int], end: tuple[int, int], text: str, uri: str = ONE) -> None:
        self._version += 1
        self.wire.send(did_change(self._version, replace(start, end, text), uri=uri))

    def type(self, text: str, at: int = CHARACTER, uri: str = ONE) -> None:
        self.edit((LINE, at), (LINE, at), text, uri)

    def cost(self, character: int = CHARACTER, line: int = LINE, uri: str = ONE) -> int:
        self.wire.complete(line, character, uri=uri, kind=1)
        trace = self.wire.traces()[0]
        assert trace["promptTokens"] > 200
        return trace["readTokens"]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [
            *[sys.executable, "-m", "fim_lsp", "serve", "--tcp", f"127.0.0.1:{port}"],
            *["--engine", "onnx", "--threads", "1", "--log-level", "error"],
        ],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    yield port
    process.kill()
    process.wait()


@pytest.fixture
def connect_editor(port: int, environment: dict[str, str]) -> Iterator[Callable[[], Editor]]:
    connections = []

    def new() -> Editor:
        connections.append(connect(port, token_file(environment, port)))
        return Editor(connections[-1][1])

    yield new
    for client, wire in connections:
        hang_up(client, wire)


@pytest.fixture
def editor(connect_editor: Callable[[], Editor]) -> Editor:
    """Returns a session in which the end of the first file is read."""
    editor = connect_editor()
    editor.cost()
    return editor


def test_a_key_costs_its_own_tokens(editor: Editor):
    costs = []
    for number, letter in enumerate("sum(area_1(width, 2))"):
        editor.type(letter, CHARACTER + number)
        costs.append(editor.cost(CHARACTER + number + 1))

    assert sorted(costs)[len(costs) // 2] <= 3
    assert max(costs) <= 3 * FEW  # another spelling of the last ids has become likelier


def test_deleting_costs_no_more(editor: Editor):
    editor.type("sum(")
    editor.cost(CHARACTER + 4)
    editor.edit((LINE, CHARACTER), (LINE, CHARACTER + 4), "")

    assert editor.cost() <= FEW


def test_a_jump_costs_a_prefill_at_the_most_and_the_way_back_nothing(editor: Editor):
    assert editor.cost(line=4, character=11) > FEW
    assert editor.cost() <= FEW


def test_a_paste_costs_itself_and_its_undo_nothing(editor: Editor):
    pasted = "sum(area_1(width, 2) for width in shapes) + math.floor(area_2(3, 4))"
    editor.type(pasted)
    assert FEW < editor.cost(CHARACTER + len(pasted)) < 2 * len(pasted)
    editor.edit((LINE, CHARACTER), (LINE, CHARACTER + len(pasted)), "")

    assert editor.cost() <= FEW


def test_an_edit_far_above_costs_what_follows_it_once(editor: Editor):
    before = editor.cost()
    editor.edit((3, 0), (3, 0), "# measured in metres\n")

    assert editor.cost(line=LINE + 1) > 100 > before
    assert editor.cost(line=LINE + 1) <= FEW


def test_going_between_two_files_costs_keys_only(editor: Editor):
    editor.cost(uri=OTHER)
    for number, letter in enumerate("sum"):
        for uri in (ONE, OTHER):
            editor.type(letter, CHARACTER + number, uri)
            assert editor.cost(CHARACTER + number + 1, uri=uri) <= FEW


def test_two_editors_do_not_cost_each_other_anything(connect_editor: Callable[[], Editor]):
    editors = [connect_editor(), connect_editor()]
    files = [ONE, OTHER]
    for editor, uri in zip(editors, files, strict=True):
        editor.cost(uri=uri)
    for number, letter in enumerate("sum"):
        for editor, uri in zip(editors, files, strict=True):
            editor.type(letter, CHARACTER + number, uri)
            assert editor.cost(CHARACTER + number + 1, uri=uri) <= FEW


def test_an_editor_is_not_told_what_another_one_has_made_the_model_read(
    connect_editor: Callable[[], Editor],
):
    """Another editor could find out a secret word by word: known beginnings would cost less."""
    connect_editor().cost()
    other = connect_editor()

    assert other.cost() > 200
    assert other.cost() <= FEW


def test_the_status_says_how_much_of_what_was_read_is_kept(editor: Editor):
    def resting() -> dict[str, Any]:
        status = editor.wire.notification("fimLsp/status", state="ready")
        return status["keptTexts"]

    before = resting()
    new = "file:///project/new.py"
    editor.wire.open(TEXT.replace("area", "length"), uri=new)
    editor.cost(uri=new)
    after = resting()

    assert before["number"] < after["number"]
    assert 0 < before["usedBytes"] < after["usedBytes"] <= after["maxBytes"] == before["maxBytes"]
