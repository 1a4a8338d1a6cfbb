"""The picture fits every terminal, and says without colors what it says with them."""

import io

import pyte
import pytest
from rich.console import Console
from rich.screen import Screen

from fim_lsp.tour.document import Document, Ghost
from fim_lsp.tour.screen import MIN_HEIGHT, MIN_WIDTH, View, has_colors, picture

VIEW = View(
    "1 of 5: A suggestion",
    "Some words that are long enough to be wrapped on a terminal that is as narrow as this one.",
    "Tab: take it  Ctrl+C: leave",
    "3 keys for 9 characters",
)
SIZES = [(80, 24), (MIN_WIDTH, MIN_HEIGHT), (20, 10), (200, 60)]


def console(columns=80, rows=24, **options):
    return Console(
        file=io.StringIO(), width=columns, height=rows, force_terminal=True, highlight=False,
        legacy_windows=False, _environ={"TERM": "xterm-256color"}, **options,
    )  # fmt: skip


def drawn(document, terminal):
    """Returns the rows that are seen, and the cell of the cursor."""
    shown = picture(VIEW, document, "ring_buffer.py", terminal)
    terminal.print(Screen(shown.content), end="")
    emulated = pyte.Screen(*terminal.size)
    pyte.Stream(emulated).feed(terminal.file.getvalue().replace("\n", "\r\n"))
    return [row.rstrip() for row in emulated.display], emulated.buffer[shown.row][shown.column].data


def document(before, after="", ghost=""):
    return Document(before, after, Ghost(ghost, 0, {}) if ghost else None)


@pytest.mark.parametrize("size", SIZES)
def test_the_title_is_the_first_row_and_the_keys_are_the_last(size):
    rows, _ = drawn(document("x = l", "\n", "en(y)"), console(*size))

    assert size[1] == len(rows)
    assert rows[0].startswith(" fim-lsp demo")
    assert rows[-1].startswith(" Tab: take it")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lines", [0, 5, 300])
def test_the_cursor_is_seen_wherever_it_is(size, lines):
    _, cell = drawn(document("#\n" * lines + "x = l", "\ny\n" * lines, "en(y)"), console(*size))

    assert cell == "e"


@pytest.mark.parametrize(
    "before",
    [
        "name = '名前' + l",
        "# مرحبا بالعالم l",
        "# שלום l",
        "# 🎉🎉 l",
        "long = " + "名" * 100 + " l",
        "e\u0301 = l",
    ],
    ids=["CJK", "Arabic", "Hebrew", "emoji", "long", "combining"],
)
def test_the_cursor_stands_behind_text_of_every_script(before):
    _, cell = drawn(document(before, "", "Xen(y)"), console())

    assert cell == "X"


@pytest.mark.parametrize(
    ("options", "marked"),
    [
        ({"color_system": "256"}, "x = len(y)"),
        ({"color_system": "256", "no_color": True}, "x = l«en(y)»"),
        ({"color_system": None}, "x = l«en(y)»"),
    ],
)
def test_without_colors_a_suggestion_stands_in_marks(options, marked):
    terminal = console(**options)
    rows, _ = drawn(document("x = l", "", "en(y)"), terminal)

    assert f"   1  {marked}" == rows[1]
    assert has_colors(terminal) == ("«" not in marked)
