"""`completionFallback`: an entry in the completion list of an editor without inline completion."""

from __future__ import annotations

from typing import Any

import pytest

from fim_lsp.document import DocumentSnapshot
from fim_lsp.lsp.completion_list import to_item
from fim_lsp.suggestion import Completion
from tests.protocol.conftest import Connect, over_both_transports
from tests.support.wire import URI, Wire, cancel, did_change, replace, span

ON = {"completionFallback": True}
REQUEST_CANCELLED = -32800


def params(line: int, character: int) -> dict[str, Any]:
    return {
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 1},
    }


def complete(wire: Wire, line: int, character: int) -> list[dict[str, Any]]:
    result = wire.result("textDocument/completion", params(line, character))
    assert result["isIncomplete"] is True
    items: list[dict[str, Any]] = result["items"]
    return items


@pytest.fixture
def plain(fresh: Wire) -> Wire:
    """A client without inline completion whose user has switched the fallback on."""
    capabilities = {"textDocument": {"completion": {}}}
    offered = fresh.initialize({"capabilities": capabilities, "initializationOptions": ON})
    assert offered["capabilities"]["completionProvider"]["triggerCharacters"]
    return fresh


@pytest.mark.own
@pytest.mark.parametrize(
    ("options", "text_document", "is_offered"),
    [
        ({}, {"completion": {}}, False),
        (ON, {"completion": {}}, True),
        ({"fimLsp": ON}, None, True),
        (ON, {"inlineCompletion": {"dynamicRegistration": False}}, False),
        (ON, {"inlineCompletion": None}, False),  # as lsp-mode says it, and asks all the same
        ({"completionFallback": "yes"}, {"completion": {}}, False),
    ],
)
def test_it_is_offered_when_asked_for_and_nothing_better_is_there(
    connect_tcp: Connect, options, text_document, is_offered: bool
):
    capabilities = {} if text_document is None else {"textDocument": text_document}
    initialize = {"capabilities": capabilities, "initializationOptions": options}
    offered = connect_tcp().initialize(initialize)["capabilities"]
    assert ("completionProvider" in offered) is is_offered
    assert "inlineCompletionProvider" in offered


@over_both_transports
@pytest.mark.scripted
def test_the_entry_replaces_the_word_before_the_cursor(plain: Wire):
    plain.open("# 😀\n😀 = pri")
    [item] = complete(plain, 1, 8)
    assert item["textEdit"] == {"range": span((1, 5), (1, 8)), "newText": "priSAW:# 😀"}
    assert item["filterText"] == "priSAW:# 😀"
    assert item["label"] == "priSAW:# 😀"
    assert item["documentation"] == "priSAW:# 😀\n😀 = pri"
    assert item["insertTextFormat"] == 1
    assert item["command"]["command"] == "fimLsp.accept"
    plain.result("workspace/executeCommand", item["command"])
    assert plain.traces()[0]["uri"] == "accepted:id-0"


@pytest.mark.scripted
def test_a_client_that_takes_snippets_gets_one_without_places(fresh: Wire):
    """Neovim 0.11 puts in plain text up to its first space only."""
    capabilities = {"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}}
    fresh.initialize({"capabilities": capabilities, "initializationOptions": ON})
    fresh.open(r"${x:\d} y")
    [item] = complete(fresh, 0, 9)
    assert item["insertTextFormat"] == 2
    assert item["textEdit"]["newText"] == r"ySAW:\${x:\\d\} y"
    assert item["filterText"] == r"ySAW:${x:\d} y"


@pytest.mark.scripted
def test_no_suggestion_and_no_document_are_empty_lists(plain: Wire):
    assert complete(plain, 0, 0) == []
    plain.open("nothing")
    assert complete(plain, 0, 7) == []


@pytest.mark.scripted
def test_a_model_that_takes_its_time_does_not_hold_the_list_up(plain: Wire):
    """The answer comes though the model never does; no edit and no newer request helps."""
    plain.open("hang")
    assert complete(plain, 0, 4) == []
    plain.send(did_change(2, replace((0, 4), (0, 4), " no more")))
    [item] = complete(plain, 0, 12)
    assert item["label"] == "moreSAW:hang no more"


@pytest.mark.scripted
def test_asking_again_goes_on_with_the_work_that_was_begun(plain: Wire):
    """Begun anew each time, an answer that takes longer than the deadline would never come."""
    plain.open("wait")
    answers = [complete(plain, 0, 4) for _ in range(3)]
    assert answers[0] == []
    assert [item["label"] for item in answers[-1]] == ["waitSAW:wait"]


@pytest.mark.scripted
def test_a_newer_request_and_an_edit_empty_the_older_list(plain: Wire):
    plain.open("hang")
    plain.send(
        {"id": 901, "method": "textDocument/completion", "params": params(0, 4)},
        did_change(2, replace((0, 4), (0, 4), "!")),
        {"id": 902, "method": "textDocument/completion", "params": params(0, 5)},
    )
    assert plain.response(901)["result"]["items"] == []
    assert [item["label"] for item in plain.response(902)["result"]["items"]] == ["SAW:hang!"]


@pytest.mark.scripted
def test_a_cancelled_request_is_answered_so(plain: Wire):
    plain.open("hang")
    request = {"id": 903, "method": "textDocument/completion", "params": params(0, 4)}
    plain.send(request, cancel(903))
    assert plain.response(903)["error"]["code"] == REQUEST_CANCELLED
    assert plain.traces()[0]["outcome"] == "superseded"


@pytest.mark.scripted
def test_it_can_be_switched_off_while_the_server_runs(plain: Wire):
    plain.open("x")
    assert complete(plain, 0, 1)
    off = {"settings": {"fimLsp": {"completionFallback": False}}}
    plain.notify("workspace/didChangeConfiguration", off)
    assert complete(plain, 0, 1) == []


CASES = {
    # before the cursor, after it, suggestion, how much of what is after it is replaced:
    # what comes into the document
    "a word": ("x = pri", "", "nt(x)", 0, "print(x)"),
    "no word": ("def add(", "", "a, b):", 0, "a, b):"),
    "the first of several lines": ("def add(", "", "a, b):\n    return a + b", 0, "a, b):"),
    "a bracket that is there": ("def add(", ")", "a, b):\n    return a + b", 1, "a, b"),
    "nested brackets": ("f(", ")", "g(x)):", 1, "g(x)"),
    "two closers": ("f(g(", "))", "x))", 2, "x"),
    "only what is there": ("f(x", ")", ")", 1, None),
    "a new line first": ("if x:", "", "\n    pass", 0, None),
    "nothing but spaces": ("x", "", "  ", 0, None),
    "returns": ("x", "", " = 1\r\ny", 0, "x = 1"),
    "letters of any kind": ("naïve_é", "", "t", 0, "naïve_ét"),
}


@pytest.mark.parametrize(
    ("before", "after", "text", "replaced", "expected"), CASES.values(), ids=CASES
)
def test_an_entry_is_one_line_and_leaves_what_is_behind_the_cursor(
    before: str, after: str, text: str, replaced: int, expected: str | None
):
    document = f"first\n{before}{after}\nlast"
    cursor = len(f"first\n{before}")
    snapshot = DocumentSnapshot("file:///x.py", "python", 1, document, cursor, line=1)
    item = to_item(Completion("id", text, cursor, cursor + replaced, -0.1), snapshot, "utf-32")
    if expected is None:
        assert item is None
        return
    assert item is not None
    assert item.text_edit.new_text == expected == item.filter_text
    start, end = item.text_edit.range.start, item.text_edit.range.end
    assert (end.line, end.character) == (1, len(before))
    assert expected.startswith(before[start.character :])
    assert item.label == expected.strip()
