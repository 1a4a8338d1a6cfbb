from __future__ import annotations

import pytest
from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from fim_lsp.document import DocumentSnapshot
from fim_lsp.lsp.documents import (
    OpenDocument,
    OpenDocuments,
    end_of_edit,
    install_documents,
)
from fim_lsp.lsp.jsonrpc import FimProtocol
from fim_lsp.uris import path_of

URI = "file:///project/a.py"


@pytest.fixture
def documents() -> OpenDocuments:
    """Installed as the server does it: into a protocol whose workspace pygls has just made."""
    server = LanguageServer("test", "1", protocol_cls=FimProtocol)
    protocol = server.protocol
    for _ in protocol.lsp_initialize(
        lsp.InitializeParams(
            capabilities=lsp.ClientCapabilities(
                general=lsp.GeneralClientCapabilities(position_encodings=["utf-8"])
            ),
            root_uri="file:///project",
            workspace_folders=[
                lsp.WorkspaceFolder("file:///project", "project"),
                lsp.WorkspaceFolder("file:///project/inner", "inner"),
                lsp.WorkspaceFolder("file:///other%20place/", "other"),
            ],
        )
    ):
        pass
    install_documents(protocol)
    workspace = protocol.workspace
    assert isinstance(workspace, OpenDocuments)
    return workspace


def opened(documents: OpenDocuments, text: str, uri: str = URI) -> OpenDocument:
    documents.put_text_document(lsp.TextDocumentItem(uri, "python", 1, text))
    document = documents.get(uri)
    assert isinstance(document, OpenDocument)  # pygls' hook `_create_text_document` is still there
    return document


def partial(start: tuple[int, int], end: tuple[int, int], text: str):
    return lsp.TextDocumentContentChangePartial(
        lsp.Range(lsp.Position(*start), lsp.Position(*end)), text
    )


def test_an_open_document_holds_the_text_and_the_encoding_of_its_client(documents):
    document = opened(documents, "é = 1\n")
    assert documents.encoding == "utf-8"
    assert document.source == "é = 1\n"
    assert document.offset_of(lsp.Position(0, 2)) == 1
    assert document.lines == ("é = 1\n", "")


def test_changes_apply_in_order_and_the_last_version_counts(documents):
    document = opened(documents, "one\x0c\ntwo\n")
    for version, change in enumerate(
        [
            partial((1, 0), (1, 3), "2"),
            lsp.TextDocumentContentChangeWholeDocument("new\n"),
            partial((1, 0), (9, 9), "end"),
        ],
        start=2,
    ):
        documents.update_text_document(lsp.VersionedTextDocumentIdentifier(version, URI), change)
    assert document.source == "new\nend"
    assert document.version == 4


def test_a_change_of_a_document_that_was_never_opened_is_dropped(documents, caplog):
    change = lsp.TextDocumentContentChangeWholeDocument("x")
    documents.update_text_document(lsp.VersionedTextDocumentIdentifier(1, URI), change)
    assert documents.get(URI) is None
    assert "not open" in caplog.text


def test_the_disk_is_never_read(documents, tmp_path):
    path = tmp_path / "on disk.py"
    path.write_text("secret")
    assert documents.get(path.as_uri()) is None
    assert documents.get_text_document(path.as_uri()).source == ""
    assert documents.get_text_document("untitled:Untitled-1").source == ""


def test_a_document_is_known_under_every_spelling_of_its_name(documents):
    opened(documents, "x", "file:///c%3A/a%20b.py")
    assert documents.get("file:///c:/a b.py") is not None


def read(document: OpenDocument, line: int, character: int) -> DocumentSnapshot:
    handle = document.handle(lsp.Position(line, character), "a.py", is_shared=True)
    return handle.read()


def test_line_numbers_past_the_end_are_those_of_the_last_line(documents):
    document = opened(documents, "a\nb\n")
    assert [read(document, line, 0).line for line in (0, 2, 3, 99)] == [0, 2, 2, 2]


def test_a_model_sees_no_lone_surrogates(documents):
    snapshot = read(opened(documents, "a\ud83db"), 0, 9)
    assert ("a\ufffdb", 3) == (snapshot.text, snapshot.offset)


def test_a_handle_is_of_the_moment_and_its_text_is_put_together_when_it_is_read(documents):
    document = opened(documents, "x = 1\n")
    handle = document.handle(lsp.Position(0, 4), "a.py", is_shared=True)
    document.apply_change(partial((0, 4), (0, 5), "2"))
    documents.remove_text_document(URI)

    snapshot = handle.read()
    assert ("x = 1\n", 4, 1) == (snapshot.text, snapshot.offset, handle.version)
    assert (URI, "python", "a.py") == (snapshot.uri, snapshot.language_id, snapshot.path)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///project/src/a.py", "src/a.py"),
        ("file:///project/inner/a.py", "a.py"),
        ("file:///project/innermost/a.py", "innermost/a.py"),
        ("file:///other%20place/deep/b.py", "deep/b.py"),
        ("file:///elsewhere/c.py", "c.py"),
        ("vscode-notebook-cell:/project/n.ipynb#W0sZmlsZQ%3D%3D", "n.ipynb"),
        ("untitled:Untitled-1", ""),
        ("untitled:/project/not-saved-yet.py", ""),
        ("git:/project/a.py?ref", "a.py"),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_paths_are_relative_to_the_innermost_folder(documents, uri, path):
    assert documents.relative_path(uri) == path


def test_without_folders_the_root_counts():
    assert OpenDocuments("file:///root").relative_path("file:///root/x/a.py") == "x/a.py"
    assert OpenDocuments(None).relative_path("file:///root/x/a.py") == "a.py"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%23c.py", "/a/b#c.py"),
        ("file://server/share/a.py", "/share/a.py"),
        ("file:///c%3A/a.py", "/c:/a.py"),
        ("file:/a.py", "/a.py"),
        ("untitled:x", None),
        ("nonsense", None),
    ],
)
def test_the_path_of_a_uri(uri, path):
    assert path_of(uri) == path


@pytest.mark.parametrize(
    ("text", "line", "character"),
    [
        ("", 2, 4),
        ("ab", 2, 6),
        ("é𝄞", 2, 7),
        ("a\n", 3, 0),
        ("a\nbc", 3, 2),
        ("a\r\nb\rc\n𝄞", 5, 2),
    ],
    ids=ascii,
)
def test_an_edit_ends_where_its_text_does(text, line, character):
    change = partial((2, 4), (7, 0), text)

    assert lsp.Position(line, character) == end_of_edit(change, "utf-16")


def test_where_the_edit_of_a_whole_document_ends_is_not_known():
    change = lsp.TextDocumentContentChangeWholeDocument("a\nb")

    assert end_of_edit(change, "utf-16") is None
