"""Document sync against a naive model, as the three editors would do it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fim_lsp.lsp.text_buffer import without_surrogates
from tests.protocol.conftest import Connect, over_both_transports
from tests.support.naive_text import ENCODINGS, NaiveText, positions, texts
from tests.support.wire import (
    Wire,
    cancel,
    did_change,
    did_close,
    notification,
    replace,
)
from tests.support.wire import texts as texts_of

pytestmark = pytest.mark.scripted

END = (1_000_000, 0)


def text_in(wire: Wire, uri: str = "file:///project/x.py") -> str:
    """Returns what the server holds of a document that was opened in the language "dump"."""
    [text] = texts_of(wire.complete(*END, uri=uri))
    return str(json.loads(text))


def through_json(text: str) -> str:
    """Returns a text as JSON carries it: two halves of a character side by side are one."""
    return str(json.loads(json.dumps(text)))


changes = st.one_of(st.tuples(positions, positions, texts), st.tuples(st.none(), st.none(), texts))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_sequence_of_edits_gives_the_editors_text(connect_tcp: Connect, encoding: Any):
    wire = connect_tcp()
    wire.initialize({"capabilities": {"general": {"positionEncodings": [encoding]}}})

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(texts, st.lists(st.lists(changes, max_size=4), max_size=4))
    def check(text: str, notifications: list[list[Any]]) -> None:
        wire.open(text, language="dump")
        naive = NaiveText(through_json(text), encoding)
        for version, batch in enumerate(notifications, start=2):
            messages = []
            for start, end, new in batch:
                if start is None:
                    naive = NaiveText(through_json(new), encoding)
                    messages.append({"text": new})
                else:
                    naive.replace(start, end, through_json(new))
                    messages.append(replace(start, end, new))
            wire.send(did_change(version, *messages))
        assert text_in(wire) == without_surrogates(naive.text)
        wire.send(did_close())

    check()


@over_both_transports
@pytest.mark.parametrize("separator", ["\f", "\v", "\x1c", "\x85", "\u2028", "\u2029"])
def test_an_edit_below_a_foreign_separator_lands_on_its_line(fresh: Wire, separator: str):
    """Python counts more characters as line ends than LSP does."""
    fresh.initialize()
    fresh.open(f"a{separator}b\n# sep\nlast", language="dump")
    fresh.send(did_change(2, replace((2, 0), (2, 4), "NEW")))
    assert text_in(fresh) == f"a{separator}b\n# sep\nNEW"


def test_a_batch_of_changes_is_applied_in_order_and_versions_may_jump(wire: Wire):
    """Neovim batches all edits since its last flush."""
    wire.open("one\ntwo\n", language="dump", version=0)
    wire.send(
        did_change(
            17,
            replace((0, 0), (0, 3), "1"),
            replace((1, 0), (1, 3), "2"),
            replace((2, 0), (2, 0), "3\n"),
        )
    )
    assert text_in(wire) == "1\n2\n3\n"


def test_versions_that_stand_still_do_no_harm(wire: Wire):
    wire.open("a", language="dump", version=0)
    for letter in "bcd":
        wire.send(did_change(0, replace((0, 0), (0, 0), letter)))
    assert text_in(wire) == "dcba"


def test_one_document_under_two_spellings_of_its_name_is_one(wire: Wire):
    wire.open("x", "file:///c%3A/a%20b.py", language="dump")
    wire.send(did_change(2, {"text": "y"}, uri="file:///c:/a b.py"))
    assert text_in(wire, "file:///c%3A/a%20b.py") == "y"


def test_a_document_of_ten_megabytes_does_not_stall(wire: Wire):
    line = "x = compute(alpha, beta)  # 😀 comment\n"
    wire.open(line * (10_000_000 // len(line)))
    wire.complete(5, 0)
    keys = 50
    for key in range(keys):
        wire.send(did_change(key + 2, replace((100_000, key), (100_000, key), "k")))
        wire.complete(100_000, key + 1)
    [item] = wire.complete(100_000, keys)["items"]
    assert f"\n{'k' * keys}x = compute" in item["insertText"]


def test_replacing_in_many_places_of_a_great_document_does_not_stall(wire: Wire):
    line = "x = compute(alpha, beta)  # comment\n"
    wire.open(line * (10_000_000 // len(line)))
    edits = [replace((row, 0), (row, 1), "y") for row in range(0, 200_000, 100)]
    wire.complete(0, 0)
    wire.send(did_change(2, *edits))
    assert wire.complete(0, 0)["items"]


CELL = "vscode-notebook-cell:/project/n.ipynb#{}"


def cell(name: str) -> dict[str, Any]:
    return {"kind": 2, "document": CELL.format(name)}


def cell_text(name: str, text: str, language: str) -> dict[str, Any]:
    return {"uri": CELL.format(name), "languageId": language, "version": 1, "text": text}


@pytest.fixture
def notebook(fresh: Wire) -> Wire:
    fresh.initialize({"rootUri": "file:///project"})
    fresh.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": "file:///project/n.ipynb",
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [cell("one"), cell("two"), cell("orders")],
            },
            "cellTextDocuments": [
                cell_text("one", "first", "dump"),
                cell_text("two", "second", "dump"),
                cell_text("orders", "x", "python"),
            ],
        },
    )
    return fresh


def change_notebook(version: int, **cells: Any) -> dict[str, Any]:
    return notification(
        "notebookDocument/didChange",
        {
            "notebookDocument": {"uri": "file:///project/n.ipynb", "version": version},
            "change": {"cells": cells},
        },
    )


def test_the_cells_of_a_notebook_are_documents(notebook: Wire):
    assert text_in(notebook, CELL.format("one")) == "first"
    assert text_in(notebook, CELL.format("two")) == "second"


def test_a_cell_can_be_edited_added_and_removed(notebook: Wire):
    notebook.send(
        change_notebook(
            2,
            textContent=[
                {
                    "document": {"uri": CELL.format("one"), "version": 2},
                    "changes": [replace((0, 0), (0, 5), "1")],
                }
            ],
        ),
        change_notebook(
            3,
            structure={
                "array": {"start": 1, "deleteCount": 1, "cells": [cell("three")]},
                "didOpen": [cell_text("three", "third", "dump")],
                "didClose": [{"uri": CELL.format("two")}],
            },
        ),
    )
    assert text_in(notebook, CELL.format("one")) == "1"
    assert text_in(notebook, CELL.format("three")) == "third"
    assert notebook.complete(0, 0, uri=CELL.format("two")) == {"items": []}


def test_a_request_for_a_cell_that_is_edited_or_removed_is_null(notebook: Wire):
    events = [
        change_notebook(
            2,
            textContent=[
                {
                    "document": {"uri": CELL.format("orders"), "version": 2},
                    "changes": [replace((0, 0), (0, 1), "hang")],
                }
            ],
        ),
        change_notebook(
            3,
            textContent=[
                {
                    "document": {"uri": CELL.format("orders"), "version": 3},
                    "changes": [replace((0, 4), (0, 4), "\nhang")],
                }
            ],
        ),
        change_notebook(
            4,
            structure={
                "array": {"start": 2, "deleteCount": 1},
                "didClose": [{"uri": CELL.format("orders")}],
            },
        ),
    ]
    notebook.send(events[0])
    first = notebook.start_completion(0, 4, CELL.format("orders"))
    notebook.send(events[1])
    assert notebook.response(first)["result"] is None
    second = notebook.start_completion(1, 4, CELL.format("orders"))
    notebook.send(events[2])
    assert notebook.response(second)["result"] is None


def test_the_other_cells_are_context_and_a_closed_notebook_is_forgotten(notebook: Wire):
    notebook.send(
        change_notebook(
            2,
            textContent=[
                {
                    "document": {"uri": CELL.format("orders"), "version": 2},
                    "changes": [{"text": "others"}],
                }
            ],
        )
    )
    assert texts_of(notebook.complete(0, 6, uri=CELL.format("orders"))) == [
        "OTHERS:n.ipynb,n.ipynb"
    ]
    notebook.notify(
        "notebookDocument/didClose",
        {
            "notebookDocument": {"uri": "file:///project/n.ipynb"},
            "cellTextDocuments": [{"uri": CELL.format("one")}, {"uri": CELL.format("two")}],
        },
    )
    for name in ("one", "two"):
        assert notebook.complete(0, 0, uri=CELL.format(name)) == {"items": []}


def test_news_of_an_unknown_notebook_are_dropped(wire: Wire):
    wire.send(change_notebook(2, textContent=[]), change_notebook(3), cancel(5))
    wire.open("x", language="dump")
    assert text_in(wire) == "x"
    assert [m for m in wire.seen() if m.get("method", "").startswith("window/")] == []
