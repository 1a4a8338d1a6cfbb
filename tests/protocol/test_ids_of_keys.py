"""Ids that a model of each prompt form reads for a key, counted through the whole server.

The models are small and random, but for their prompts.  `readTokens` of a trace are the ids that
were run before the first new one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.orders import Order
from tests.protocol.conftest import hang_up, token_file
from tests.support.random_models import DECODERS, make_bundle, with_order
from tests.support.wire import (
    Wire,
    connect,
    did_change,
    free_port,
    replace,
    start_stdio,
    wait_for_log,
)

pytestmark = pytest.mark.own

FORMS = {
    "spm1": (Order.SPM1, HoleStart.CURSOR),
    "spm1, whole lines": (Order.SPM1, HoleStart.LINE),
    "spm2, whole lines": (Order.SPM2, HoleStart.LINE),
    "psm, whole lines": (Order.PSM, HoleStart.LINE),
}
BLOCK = "".join(f"def area_{it}(width):\n    return width * {it}\n\n\n" for it in range(4))
LAST = "def total(shapes):\n    first = 1\n"
TEXT = f"import math\n\n\n{BLOCK}{LAST}\n    return result\n\n\n{BLOCK}"
LINE = (BLOCK + LAST).count("\n") + 3
OTHER_TEXT = TEXT.replace("area", "volume").replace("math", "os")
ONE, OTHER = "file:///project/one.py", "file:///project/other.py"
SETTINGS = {"candidates": 1, "maxNewTokens": 4, "contextTokens": 600, "idleWork": False}
TYPED = "    result = sum(area_1(width) for width in shapes)"
FEW = 16
"""Ids of a line that is spelled anew: its last words, and what parts the prompt from the answer."""


class Editor:
    """Types into two files; `read` asks, and returns the trace."""

    def __init__(self, wire: Wire, **settings: Any) -> None:
        self.wire = wire
        wire.initialize({"initializationOptions": SETTINGS | settings})
        wire.notification("fimLsp/status", state="ready")
        self._version = 1
        wire.open(TEXT, uri=ONE)
        wire.open(OTHER_TEXT, uri=OTHER)

    def edit(self, start: tuple[int, int], end: tuple[int, int], text: str, uri: str = ONE) -> None:
        self._version += 1
        self.wire.send(did_change(self._version, replace(start, end, text), uri=uri))

    def read(self, line: int, character: int, uri: str = ONE) -> dict[str, Any]:
        self.wire.complete(line, character, uri=uri, kind=1)
        trace: dict[str, Any] = self.wire.traces()[0]
        assert trace["promptTokens"] > 100
        return trace

    def cost(self, line: int, character: int, uri: str = ONE) -> int:
        read: int = self.read(line, character, uri)["readTokens"]
        return read

    def type(self, text: str, line: int = LINE, uri: str = ONE) -> list[int]:
        """Types from the line's start; returns what each key cost."""
        costs = []
        for number, letter in enumerate(text):
            self.edit((line, number), (line, number), letter, uri)
            costs.append(self.cost(line, number + 1, uri))
        return costs


@pytest.fixture(scope="module", params=list(FORMS))
def form(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def bundle(form: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of that form."""
    folder = tmp_path_factory.mktemp("model")
    make_bundle(folder, DECODERS["grouped heads, rms norm, gated"])
    order, hole_start = FORMS[form]
    return with_order(folder / "bundle", order, hole_start)


@pytest.fixture(scope="module")
def port(
    bundle: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [
            *[sys.executable, "-m", "fim_lsp", "serve", "--tcp", f"127.0.0.1:{port}"],
            *["--engine", "onnx", "--threads", "1", "--log-level", "error", "--model", str(bundle)],
        ],
        stdin=subprocess.DEVNULL,
        env=environment | {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))},
    )
    yield port
    process.kill()
    process.wait()


@pytest.fixture
def editor(port: int, environment: dict[str, str]) -> Iterator[Editor]:
    client, wire = connect(port, token_file(environment, port))
    yield Editor(wire)
    hang_up(client, wire)


@pytest.fixture
def reading_ahead(
    bundle: Path, environment: dict[str, str], tmp_path: Path
) -> Iterator[tuple[Editor, Path]]:
    """Types into a server that reads ahead in pauses; the path is that of its log."""
    path = tmp_path / "server.log"
    process, wire = start_stdio(
        [sys.executable, "-m", "fim_lsp", "serve", "--log-file", str(path)],
        stderr=subprocess.DEVNULL,
        env=environment | {"XDG_CACHE_HOME": str(tmp_path)},
    )
    yield Editor(wire, idleWork=True, engine="onnx", threads=1, model=str(bundle)), path
    process.kill()
    process.wait()
    wire.close()


def enter_costs_at_most(form: str, before: dict[str, Any], after: dict[str, Any]) -> int:
    """Ids of the line that is done, and of the suffix where it stands behind that."""
    of_line: int = after["prefixTokens"] - before["prefixTokens"]
    suffix: int = after["suffixTokens"] if form.startswith("psm") else 0
    return of_line + suffix + FEW


def test_a_key_within_a_line_costs_three_ids_at_the_median(editor: Editor):
    editor.cost(LINE, 0)

    assert statistics.median(editor.type(TYPED)) <= 3


def test_deleting_costs_no_more(editor: Editor):
    editor.edit((LINE, 0), (LINE, 0), TYPED)
    editor.cost(LINE, len(TYPED))
    costs = []
    for end in range(len(TYPED), 4, -1):
        editor.edit((LINE, end - 1), (LINE, end), "")
        costs.append(editor.cost(LINE, end - 1))

    assert statistics.median(costs) <= 3


def test_a_new_line_costs_the_one_that_is_done_and_what_stands_behind_it(form: str, editor: Editor):
    for number in range(3):
        line = LINE + number
        editor.edit((line, 0), (line, 0), TYPED)
        before = editor.read(line, len(TYPED))
        editor.edit((line, len(TYPED)), (line, len(TYPED)), "\n")
        after = editor.read(line + 1, 0)

        assert after["readTokens"] <= enter_costs_at_most(form, before, after)


def test_a_new_line_that_was_read_in_a_pause_costs_a_key(reading_ahead: tuple[Editor, Path]):
    """So the suffix is read before Enter, also where it stands behind the line that is done."""
    (editor, log), end = reading_ahead, len(TYPED)
    editor.cost(LINE, 0)
    editor.edit((LINE, 0), (LINE, 0), TYPED)
    wait_for_log(lambda: log.read_text("utf-8"), "idle work took")
    editor.edit((LINE, end), (LINE, end), "\n    ")

    assert editor.cost(LINE + 1, 4) <= FEW


def test_accepting_costs_what_was_accepted(editor: Editor):
    before = editor.read(LINE, 0)
    accepted = "    shapes = sorted("
    editor.edit((LINE, 0), (LINE, 0), accepted)
    after = editor.read(LINE, len(accepted))

    assert before["promptTokens"] + len(accepted) >= after["promptTokens"]
    assert after["readTokens"] <= len(accepted) + FEW


def test_an_undo_costs_a_key(editor: Editor):
    editor.cost(LINE, 0)
    pasted = f"{TYPED}\n    first = 2\n"
    editor.edit((LINE, 0), (LINE, 0), pasted)
    assert editor.cost(LINE + 2, 0) > FEW
    editor.edit((LINE, 0), (LINE + 2, 0), "")

    assert editor.cost(LINE, 0) <= FEW


def test_a_jump_and_back_costs_a_key(editor: Editor):
    editor.cost(LINE, 0)
    assert editor.cost(4, 11) > FEW

    assert editor.cost(LINE, 0) <= FEW
    assert editor.cost(4, 11) <= FEW


def test_another_document_costs_its_own_ids_once(editor: Editor):
    for uri in (ONE, OTHER):
        editor.cost(LINE, 0, uri)
    costs = []
    for number, letter in enumerate(TYPED[:12]):
        for uri in (ONE, OTHER):
            editor.edit((LINE, number), (LINE, number), letter, uri)
            costs.append(editor.cost(LINE, number + 1, uri))

    assert statistics.median(costs) <= 3
    assert max(costs) < 100


def test_lines_of_one_document_leave_another_one_as_it_is(editor: Editor):
    editor.cost(LINE, 0, OTHER)
    for line in range(LINE, LINE + 30):
        editor.edit((line, 0), (line, 0), f"    value = {line}\n")
        editor.cost(line + 1, 0)

    assert editor.cost(LINE, 0, OTHER) <= FEW


def test_further_candidates_read_the_prompt_no_more(
    bundle: Path, port: int, environment: dict[str, str]
):
    client, wire = connect(port, token_file(environment, port))
    editor = Editor(wire, candidates=3)
    editor.edit((LINE, 0), (LINE, 0), "    ")
    trace = editor.read(LINE, 4)
    hang_up(client, wire)

    assert len(trace["candidates"]) > 1
    for candidate in trace["candidates"][1:]:
        assert trace["promptTokens"] - candidate["cachedTokens"] <= FEW
