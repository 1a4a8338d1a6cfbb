"""A client that only sends texts, as LSP4IJ does, gets several suggestions when asked, and counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.protocol.conftest import ROOT, StartStdio
from tests.support.wire import URI, Wire, did_change, replace, texts

pytestmark = pytest.mark.scripted

TEMPLATE = ROOT / "docs" / "distribution" / "lsp4ij"


def start_with(start: StartStdio, experimental: object) -> Wire:
    _, wire = start()
    wire.initialize(
        {"capabilities": {"experimental": experimental}, "initializationOptions": {"candidates": 2}}
    )
    wire.open("ab")
    return wire


@pytest.fixture
def wire(start: StartStdio) -> Wire:
    """A client that LSP4IJ starts from the template of docs/distribution."""
    experimental = Path(TEMPLATE, "experimental.json").read_text("utf-8")
    return start_with(start, json.loads(experimental))


def edit(wire: Wire, version: int, column: int, text: str) -> None:
    wire.send(did_change(version, replace((0, column), (0, column), text)))


def accepted(wire: Wire) -> list[str]:
    """Returns the ids of the suggestions that the server took for accepted, newest first."""
    uris = [trace["uri"] for trace in wire.traces()]
    return [uri.partition(":")[2] for uri in uris if uri.startswith("accepted:")]


def test_a_request_after_an_edit_is_typing(wire: Wire):
    edit(wire, 2, 2, "c")

    assert ["SAW:abc"] == texts(wire.complete(0, 3))


def test_a_second_request_for_the_same_text_is_the_users(wire: Wire):
    edit(wire, 2, 2, "c")
    wire.complete(0, 3)

    assert ["SAW:abc", "SAW:abc"] == texts(wire.complete(0, 3))
    edit(wire, 3, 3, "d")
    assert ["SAW:abcd"] == texts(wire.complete(0, 4))


def test_a_request_in_a_document_that_was_only_opened_is_the_users(wire: Wire):
    assert ["SAW:ab", "SAW:ab"] == texts(wire.complete(0, 1))


def test_an_edit_elsewhere_makes_no_request_in_this_document_typing(wire: Wire):
    other = "file:///project/y.py"
    wire.open("xy", uri=other)
    edit(wire, 2, 2, "c")

    assert ["SAW:xy", "SAW:xy"] == texts(wire.complete(0, 1, uri=other))


def test_a_suggestion_that_an_edit_puts_in_is_accepted_once(wire: Wire):
    edit(wire, 2, 2, "c")
    [text] = texts(wire.complete(0, 3))
    edit(wire, 3, 3, text)
    edit(wire, 4, 3 + len(text), "!")

    assert ["id-0"] == accepted(wire)


@pytest.mark.parametrize(
    "typed", ["S", "SAW:ab", "SAW:abc ", "other"], ids=["a key", "a part", "more", "another text"]
)
def test_what_is_not_the_whole_suggestion_is_not_accepted(wire: Wire, typed: str):
    edit(wire, 2, 2, "c")
    wire.complete(0, 3)
    edit(wire, 3, 3, typed)

    assert [] == accepted(wire)


def test_a_text_that_was_put_into_another_document_is_not_accepted(wire: Wire):
    other = "file:///project/y.py"
    wire.open("abc", uri=other)
    edit(wire, 2, 2, "c")
    [text] = texts(wire.complete(0, 3))
    wire.send(did_change(2, replace((0, 3), (0, 3), text), uri=other))

    assert [] == accepted(wire)


@pytest.mark.parametrize("experimental", [None, True, {}, {"fimLsp": {"onlyText": "yes"}}])
def test_other_clients_are_taken_at_their_word(start: StartStdio, experimental: object):
    wire = start_with(start, experimental)
    [text] = texts(wire.complete(0, 2))
    [_] = texts(wire.complete(0, 2))
    edit(wire, 2, 2, text)

    assert [] == accepted(wire)
    assert 2 == len(wire.complete(0, 2, uri=URI, kind=1)["items"])
