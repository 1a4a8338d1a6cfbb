"""A client that asks for it is told which documents are not completed, without asking again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.conftest import StartStdio
from tests.support.wire import Wire, did_close

pytestmark = pytest.mark.own

STATE = "fimLsp/documentState"
WANTED = {"capabilities": {"experimental": {"fimLsp": {"documentState": True}}}}


@pytest.fixture
def told(start: StartStdio) -> Wire:
    _, wire = start()
    wire.initialize(WANTED)
    return wire


def states(wire: Wire) -> list[tuple[str, str]]:
    """Returns what was told since the last look, as names of documents and their states."""
    messages = [m["params"] for m in wire.seen() if m.get("method") == STATE]
    return [(params["uri"].rpartition("/")[2], params["state"]) for params in messages]


def change_settings(wire: Wire, **settings: Any) -> None:
    wire.notify("workspace/didChangeConfiguration", {"settings": {"fimLsp": settings}})


def test_a_secret_is_told_when_it_is_opened_and_why(told: Wire):
    told.open("KEY=1\n", uri="file:///project/.env")
    params = told.notification(STATE)

    assert ("file:///project/.env", "excluded") == (params["uri"], params["state"])
    assert "list of secrets" in params["message"]


def test_of_a_document_that_is_completed_nothing_is_told(told: Wire):
    told.open("x = 1\n")
    told.complete(0, 1)

    assert [] == states(told)


def test_each_change_is_told_once(told: Wire):
    told.open("x = 1\n")
    told.open("x = 1\n", uri="file:///project/y.js", language="javascript")
    change_settings(told, exclude=["*.py"])
    assert [("x.py", "excluded")] == states(told)
    change_settings(told, exclude=["*.py"], eagerness=0.7)
    assert [] == states(told)
    change_settings(told, languages={"javascript": False})
    assert [("x.py", "active"), ("y.js", "disabled")] == states(told)
    change_settings(told, enabled=False)
    assert [("x.py", "disabled"), ("y.js", "disabled")] == states(told)
    change_settings(told)
    assert [("x.py", "active"), ("y.js", "active")] == states(told)


def test_a_document_that_is_opened_again_counts_as_active_at_first(told: Wire):
    change_settings(told, exclude=["*.py"])
    told.open("x = 1\n")
    told.send(did_close())
    told.open("x = 1\n")

    assert [("x.py", "excluded")] * 2 == states(told)


@pytest.mark.parametrize(
    "capabilities",
    [
        {},
        {"experimental": None},
        {"experimental": True},
        {"experimental": {"fimLsp": {"documentState": "yes"}}},
        {"experimental": {"fimLsp": {"documentState": False}}},
    ],
)
def test_a_client_that_does_not_ask_for_it_is_told_nothing(start: StartStdio, capabilities):
    _, wire = start()
    wire.initialize({"capabilities": capabilities})
    wire.open("KEY=1\n", uri="file:///project/.env")

    assert [] == states(wire)


def test_cells_of_a_notebook_are_documents_too(told: Wire):
    cell = "vscode-notebook-cell:/project/a.ipynb#c1"
    change_settings(told, languages={"python": False})
    told.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": "file:///project/a.ipynb",
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [{"kind": 2, "document": cell}],
            },
            "cellTextDocuments": [
                {"uri": cell, "languageId": "python", "version": 1, "text": "x = 1\n"}
            ],
        },
    )

    params = told.notification(STATE)
    assert (cell, "disabled") == (params["uri"], params["state"])
