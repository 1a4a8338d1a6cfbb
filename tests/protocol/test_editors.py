"""An independent client, with the recorded `initialize` of each editor."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import converters
from lsprotocol import types as lsp
from pytest_lsp import ClientServerConfig, LanguageClient

from tests.protocol.conftest import EDITORS, ROOT, recorded

ENCODINGS = {"vscode": "utf-16", "nvim": "utf-8", "emacs": "utf-32"}
URI = "file:///project/q.py"

pytestmark = pytest.mark.scripted


@pytest_lsp.fixture(
    config=ClientServerConfig(
        server_command=[sys.executable, str(Path(__file__).with_name("scripted_server.py"))],
        server_env={"PYTHONPATH": str(ROOT)},
    ),
    params=EDITORS,
)
async def client(request: pytest.FixtureRequest, lsp_client: LanguageClient):
    params = converters.get_converter().structure(recorded(request.param), lsp.InitializeParams)
    lsp_client.set_configuration({"fimLsp": {"candidates": 2}})
    result = await lsp_client.initialize_session(params)
    assert result.capabilities.position_encoding == ENCODINGS[request.param]
    assert result.capabilities.inline_completion_provider is not None
    yield
    await lsp_client.shutdown_session()


def params(character: int, kind: lsp.InlineCompletionTriggerKind) -> lsp.InlineCompletionParams:
    return lsp.InlineCompletionParams(
        text_document=lsp.TextDocumentIdentifier(URI),
        position=lsp.Position(0, character),
        context=lsp.InlineCompletionContext(trigger_kind=kind),
    )


async def test_a_session_from_opening_to_accepting(client: LanguageClient):
    client.text_document_did_open(
        lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(URI, "python", 1, "def add("))
    )
    client.text_document_did_change(
        lsp.DidChangeTextDocumentParams(
            lsp.VersionedTextDocumentIdentifier(2, URI),
            [
                lsp.TextDocumentContentChangePartial(
                    lsp.Range(lsp.Position(0, 8), lsp.Position(0, 8)), "a"
                )
            ],
        )
    )
    result = await client.text_document_inline_completion_async(
        params(9, lsp.InlineCompletionTriggerKind.Automatic)
    )
    [item] = result.items
    assert item.insert_text == "SAW:def add(a"
    assert item.range == lsp.Range(lsp.Position(0, 9), lsp.Position(0, 9))
    await client.workspace_execute_command_async(
        lsp.ExecuteCommandParams(item.command.command, item.command.arguments)
    )
    invoked = await client.text_document_inline_completion_async(
        params(9, lsp.InlineCompletionTriggerKind.Invoked)
    )
    assert len(invoked.items) == 2  # as the client's settings say when they are asked for
    assert client.messages == []
    assert [entry for entry in client.log_messages if entry.type == lsp.MessageType.Error] == []
