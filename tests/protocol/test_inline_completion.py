"""Inline completion is answered as editors need it, over real connections."""

from __future__ import annotations

import pytest

from tests.protocol.conftest import EDITORS, Connect, over_both_transports, recorded
from tests.support.wire import (
    URI,
    Wire,
    ask,
    cancel,
    completion_params,
    did_change,
    did_close,
    did_open,
    replace,
    span,
    texts,
)

REQUEST_CANCELLED = -32800


@over_both_transports
@pytest.mark.scripted
def test_a_suggestion_comes_with_an_empty_range_at_the_cursor_and_a_command(wire: Wire):
    """An item always has a range and a command that tells of acceptance, and never a filterText."""
    wire.open("x = 1\ny")
    assert wire.complete(1, 1) == {
        "items": [
            {
                "insertText": "SAW:x = 1\ny",
                "range": span((1, 1), (1, 1)),
                "command": {
                    "title": "Suggestion accepted",
                    "command": "fimLsp.accept",
                    "arguments": ["id-0"],
                },
            }
        ]
    }


@pytest.mark.scripted
def test_typing_gets_one_suggestion_and_asking_gets_several(wire: Wire):
    wire.open("x")
    assert len(wire.complete(0, 1, kind=2)["items"]) == 1
    assert len(wire.complete(0, 1, kind=1)["items"]) == 3


@pytest.mark.scripted
def test_a_range_swallows_the_bracket_that_the_text_repeats(wire: Wire):
    """Editors that are given no range would leave the second bracket."""
    wire.open("def bracket)\n")
    [item] = wire.complete(0, 11)["items"]
    assert item["range"] == span((0, 11), (0, 12))


@pytest.mark.scripted
def test_a_range_never_leaves_the_cursors_line(wire: Wire):
    """The provider may say otherwise: here it swallows one character where there is none."""
    wire.open("def bracket\nnext")
    [item] = wire.complete(0, 11)["items"]
    assert item["range"] == span((0, 11), (0, 11))


@pytest.mark.scripted
@pytest.mark.parametrize("separator", ["\r\n", "\r", "\n"])
def test_insert_text_knows_one_line_end(wire: Wire, separator: str):
    wire.open(f"a{separator}crlf{separator}")
    assert texts(wire.complete(1, 4)) == ["one\ntwo\nthree\n"]


@over_both_transports
@pytest.mark.scripted
def test_a_newer_request_answers_and_the_older_one_is_null(wire: Wire):
    """Null lets an editor keep what it shows until the newer answer is there."""
    wire.open("hang")
    older = wire.start_completion(0, 4)
    newer = wire.start_completion(0, 3)
    assert wire.response(older)["result"] is None
    assert texts(wire.response(newer)["result"]) == ["SAW:hang"]


@pytest.mark.scripted
def test_requests_for_two_documents_do_not_disturb_each_other(wire: Wire):
    wire.open("wait")
    wire.open("other", uri="file:///project/other.py")
    waiting = wire.start_completion(0, 4)
    assert texts(wire.complete(0, 5, uri="file:///project/other.py")) == ["SAW:other"]
    assert texts(wire.response(waiting)["result"]) == ["SAW:wait"]


@over_both_transports
@pytest.mark.scripted
@pytest.mark.parametrize(
    "event",
    [
        did_change(2, {"text": "hang on"}),
        did_change(2, replace((0, 4), (0, 4), "s")),
        did_close(),
        did_open("anew"),
    ],
    ids=["replaced", "edited", "closed", "opened again"],
)
def test_a_request_whose_text_is_gone_is_null(wire: Wire, event: dict):
    """Neovim cancels nothing and would show the late answer over the newer text."""
    wire.open("hang")
    pending = wire.start_completion(0, 4)
    wire.send(event)
    assert wire.response(pending)["result"] is None


@over_both_transports
@pytest.mark.scripted
def test_each_request_sees_the_text_of_its_moment_though_all_come_in_one_segment(wire: Wire):
    """A coroutine would start after the edits behind its request on a socket."""
    wire.send(
        did_open("v1"),
        ask(10, 0, 2),
        did_change(2, {"text": "v2"}),
        did_change(3, {"text": "v3"}),
        ask(11, 0, 2),
    )
    # The first is answered from its own text, or null because that text is gone; never from v3.
    first = wire.response(10)["result"]
    assert first is None or texts(first) == ["SAW:v1"]
    assert texts(wire.response(11)["result"]) == ["SAW:v3"]


@pytest.mark.scripted
def test_an_edit_under_another_spelling_of_the_name_ends_a_request_too(wire: Wire):
    wire.open("hang", uri="file:///c%3A/a%20b.py")
    pending = wire.start_completion(0, 4, uri="file:///c%3A/a%20b.py")
    wire.send(did_change(2, {"text": "hang on"}, uri="file:///c:/a b.py"))
    assert wire.response(pending)["result"] is None
    wire.send(did_change(3, {"text": "hang"}, uri="file:///c:/a b.py"))
    pending = wire.start_completion(0, 4, uri="file:///c:/a%20b.py")
    wire.send(did_close(uri="file:///c:/a b.py"))
    assert wire.response(pending)["result"] is None


@pytest.mark.scripted
def test_nothing_to_suggest_is_an_empty_list(wire: Wire):
    """Null would leave a stale ghost text standing in Neovim."""
    wire.open("nothing")
    assert wire.complete(0, 7) == {"items": []}


@pytest.mark.parametrize("uri", ["file:///never/opened.py", "untitled:Untitled-9", "", "nonsense"])
def test_a_document_that_was_never_opened_gets_an_empty_list(wire: Wire, uri: str):
    assert wire.complete(0, 0, uri=uri) == {"items": []}


def test_a_file_on_the_disk_that_was_not_opened_is_not_read(wire: Wire, tmp_path):
    """pygls alone reads a document that is not open from the disk."""
    path = tmp_path / "private.py"
    path.write_text("print('private')\n")
    assert wire.complete(0, 0, uri=path.as_uri()) == {"items": []}


def test_a_closed_document_is_not_read_from_the_disk_either(wire: Wire, tmp_path):
    path = tmp_path / "private.py"
    path.write_text("print('private')\n")
    wire.open("x", uri=path.as_uri())
    wire.send(did_close(path.as_uri()))
    assert wire.complete(0, 0, uri=path.as_uri()) == {"items": []}


@pytest.mark.parametrize("name", [".env", "id_rsa", "server.pem", "secrets.yaml"])
def test_a_secret_gets_an_empty_list(wire: Wire, name: str):
    wire.open("PASSWORD=", uri=f"file:///project/{name}")
    assert wire.complete(0, 9, uri=f"file:///project/{name}") == {"items": []}


@over_both_transports
@pytest.mark.scripted
def test_a_secret_is_no_context_for_other_files(wire: Wire):
    for name in ("a.py", ".env", "b.py"):
        wire.open("x", uri=f"file:///project/{name}")
    wire.open("others")
    assert texts(wire.complete(0, 6)) == ["OTHERS:b.py,a.py"]


@pytest.mark.scripted
def test_the_document_visited_last_comes_first_as_context(wire: Wire):
    for name in ("a.py", "b.py", "c.py"):
        wire.open("x", uri=f"file:///project/{name}")
    wire.open("others")
    wire.notify("textDocument/didFocus", {"textDocument": {"uri": "file:///project/a.py"}})
    wire.notify("textDocument/didFocus", {"textDocument": {"uri": "file:///never/opened.py"}})
    wire.notify("textDocument/didFocus", {"textDocument": None})
    assert texts(wire.complete(0, 6)) == ["OTHERS:a.py,c.py,b.py"]


@over_both_transports
@pytest.mark.scripted
def test_a_cancelled_request_is_answered_so_at_once(wire: Wire):
    wire.open("hang")
    pending = wire.start_completion(0, 4)
    wire.send(cancel(pending))
    assert wire.response(pending)["error"]["code"] == REQUEST_CANCELLED
    assert wire.traces()[0]["outcome"] == "cancelled"


def test_cancelling_what_is_not_pending_changes_nothing(wire: Wire):
    wire.send(cancel(999), cancel("no such"), cancel(None), cancel([]))
    assert wire.complete(0, 0) == {"items": []}


@pytest.mark.scripted
def test_an_exception_is_null_and_a_line_in_the_log(start, read_log):
    """Any error would ring a bell in VS Code."""
    _, wire = start()
    wire.initialize()
    wire.open("raise")
    assert wire.complete(0, 5) is None
    assert "RuntimeError" in read_log()
    wire.send(did_change(2, {"text": "fine"}))
    assert texts(wire.complete(0, 4)) == ["SAW:fine"]
    assert [m for m in wire.seen() if m.get("method", "").startswith("window/")] == []


@pytest.mark.scripted
def test_while_the_model_loads_the_answer_is_empty_and_at_once(start):
    _, wire = start("--load-seconds", "600")
    wire.initialize()
    wire.open("x")
    assert wire.complete(0, 1) == {"items": []}


@pytest.mark.scripted
def test_a_model_that_does_not_load_gives_empty_answers_and_one_message(start):
    _, wire = start("--load-seconds", "0.01", "--load-error", "no such model: x")
    wire.initialize()
    wire.notification("fimLsp/status", state="error", message="no such model: x")
    assert "no such model: x" in wire.notification("window/showMessage")["message"]
    wire.open("x")
    assert wire.complete(0, 1) == {"items": []}
    assert [m for m in wire.seen() if m.get("method", "").startswith("window/")] == []


@pytest.mark.scripted
def test_the_selected_entry_of_the_popup_begins_the_text_and_gives_the_range(wire: Wire):
    wire.open("😀 os.pa\n")
    context = {
        "triggerKind": 2,
        "selectedCompletionInfo": {"range": span((0, 6), (0, 8)), "text": "path"},
    }
    [item] = wire.complete(0, 8, context=context)["items"]
    assert item["insertText"] == "path!"
    assert item["range"] == span((0, 6), (0, 8))


@pytest.mark.scripted
@pytest.mark.parametrize("place", [span((0, 0), (1, 1)), span((2, 0), (2, 0))])
def test_a_selected_entry_elsewhere_is_left_out(wire: Wire, place: dict):
    wire.open("x\ny\nz")
    context = {"triggerKind": 2, "selectedCompletionInfo": {"range": place, "text": "path"}}
    assert texts(wire.complete(1, 1, context=context)) == ["SAW:x\ny\nz"]


@pytest.mark.parametrize(
    ("line", "character"), [(0, 10_000), (10_000, 0), (1, 1), (2**31 - 1, 2**31 - 1)]
)
def test_a_position_beyond_the_text_is_answered(wire: Wire, line: int, character: int):
    wire.open("x\n")
    assert "items" in wire.complete(line, character)


@pytest.mark.scripted
@pytest.mark.parametrize(
    ("text", "cursor", "place"),
    [
        ("ab\n", (5, 3), (1, 0)),
        ("ab\r\ncd", (0, 99), (0, 2)),
        ("", (3, 3), (0, 0)),
        ("ab\n", (1, 0), (1, 0)),
    ],
)
def test_a_position_beyond_the_text_counts_as_its_end(wire: Wire, text, cursor, place):
    wire.open(text)
    [item] = wire.complete(*cursor)["items"]
    assert item["range"] == span(place, place)


@pytest.mark.scripted
@pytest.mark.parametrize("editor", EDITORS)
def test_every_editor_gets_positions_in_the_units_it_chose(connect_tcp: Connect, editor: str):
    """Three editors negotiate three encodings, and none needs the client capability."""
    wire = connect_tcp()
    encoding = wire.initialize(recorded(editor))["capabilities"]["positionEncoding"]
    assert encoding == {"vscode": "utf-16", "nvim": "utf-8", "emacs": "utf-32"}[editor]
    cursor = len(f"😀é{'bracket'}".encode({"utf-32": "utf-32-le"}.get(encoding, encoding)))
    cursor = {"utf-8": cursor, "utf-16": 2 + 1 + 7, "utf-32": 9}[encoding]
    wire.open("# \f\u2028\n😀ébracket)")
    [item] = wire.complete(1, cursor)["items"]
    assert item["range"] == span((1, cursor), (1, cursor + 1))


@over_both_transports
@pytest.mark.scripted
def test_a_lone_surrogate_in_either_direction_breaks_nothing(wire: Wire):
    wire.open("a\ud83db\nsurrogate")
    assert texts(wire.complete(1, 9)) == ["x\ud83d"]
    assert texts(wire.complete(1, 1)) == ["SAW:a\ufffdb\nsurrogate"]


@pytest.mark.scripted
def test_copilots_extra_fields_are_understood(wire: Wire):
    """pygls alone drops what the standard does not know."""
    wire.open("sample", uri="file:///project/deep/x.py", version=7)
    params = completion_params(0, 6, "file:///project/deep/x.py")
    params["textDocument"]["version"] = 7
    params["formattingOptions"] = {"tabSize": 2, "insertSpaces": True}
    [text] = texts(wire.result("textDocument/inlineCompletion", params))
    assert '"indentation": [2, true]' in text
    params["textDocument"]["version"] = 6
    assert wire.result("textDocument/inlineCompletion", params) is None


@pytest.mark.scripted
def test_a_snapshot_names_path_language_and_line(connect_tcp: Connect):
    wire = connect_tcp()
    wire.initialize(
        workspaceFolders=[
            {"uri": "file:///one", "name": "one"},
            {"uri": "file:///two", "name": "two"},
        ]
    )
    wire.open("\r\n\r\nsample", uri="file:///two/src/a.rs", language="rust")
    [text] = texts(wire.complete(2, 6, uri="file:///two/src/a.rs"))
    assert text == (
        'SAW:{"path": "src/a.rs", "language": "rust", "line": 2, "offset": 10, "indentation": null}'
    )
    event = {"added": [{"uri": "file:///two/src", "name": "src"}], "removed": []}
    wire.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    [text] = texts(wire.complete(2, 6, uri="file:///two/src/a.rs"))
    assert '"path": "a.rs"' in text
    event = {"added": [], "removed": [{"uri": "file:///two/src", "name": "src"}]}
    wire.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    [text] = texts(wire.complete(2, 6, uri="file:///two/src/a.rs"))
    assert '"path": "src/a.rs"' in text


@pytest.mark.scripted
def test_an_untitled_document_is_completed(wire: Wire):
    wire.open("sample", uri="untitled:Untitled-1")
    [text] = texts(wire.complete(0, 6, uri="untitled:Untitled-1"))
    assert '"path": ""' in text


@pytest.mark.scripted
def test_an_accepted_suggestion_is_reported_to_the_completer(wire: Wire):
    for command in ("fimLsp.accept", "github.copilot.didAcceptCompletionItem"):
        wire.result("workspace/executeCommand", {"command": command, "arguments": ["id-7"]})
        assert wire.traces()[0]["uri"] == "accepted:id-7"
    for arguments in ([], None, [{"x": 1}], [None, 2]):
        params = {"command": "fimLsp.accept", "arguments": arguments}
        assert wire.result("workspace/executeCommand", params) is None


def test_an_unknown_command_is_refused(wire: Wire):
    response = wire.request("workspace/executeCommand", {"command": "rm", "arguments": ["-r"]})
    assert response["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/didShowCompletion", {"item": {"insertText": "x"}}),
        ("textDocument/didShowCompletion", None),
        ("textDocument/didPartiallyAcceptCompletion", {"item": {}, "acceptedLength": 3}),
        ("textDocument/didPartiallyAcceptCompletion", []),
        ("textDocument/didFocus", {"textDocument": {"uri": URI}}),
        ("textDocument/didFocus", None),
        ("textDocument/didFocus", "x"),
    ],
)
def test_copilots_notifications_are_accepted_in_any_shape(wire: Wire, method: str, params):
    wire.notify(method, params)
    assert wire.complete(0, 0) == {"items": []}
    assert [m for m in wire.seen() if m.get("method", "").startswith("window/")] == []
