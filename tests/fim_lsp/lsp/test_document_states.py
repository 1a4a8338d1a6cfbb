"""The state of a document depends on the settings, on its name, and on the model."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from fim_lsp.lsp.document_states import ACTIVE, DocumentState, state_of
from fim_lsp.lsp.handlers import new_server
from fim_lsp.lsp.session import FimServer
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from tests.support.scripted_host import scripted_model

PYTHON = scripted_model("a + b", languages=("python",))


@pytest.mark.parametrize(
    ("uri", "language_id", "settings", "model", "expected"),
    [
        ("file:///a.py", "python", Settings(), PYTHON, DocumentState.ACTIVE),
        ("file:///a.go", "go", Settings(), PYTHON, DocumentState.ON_REQUEST),
        ("file:///a.go", "go", Settings(), None, DocumentState.ACTIVE),
        ("file:///a.go", "go", Settings(languages=(("go", True),)), PYTHON, DocumentState.ACTIVE),
        ("file:///a.go", "go", Settings(languages=(("go", False),)), PYTHON, DocumentState.DISABLED),
        ("file:///a.py", "python", Settings(enabled=False), PYTHON, DocumentState.DISABLED),
        ("file:///a.py", "python", Settings(exclude=("*.py",)), PYTHON, DocumentState.EXCLUDED),
        ("file:///.env", "dotenv", Settings(), PYTHON, DocumentState.EXCLUDED),
    ],
)  # fmt: skip
def test_the_state_of_a_document(uri, language_id, settings, model, expected):
    found = state_of(uri, language_id, settings, model)

    assert expected is found.state
    assert (found == ACTIVE) is (found.message == "")


@dataclass
class Wire:
    """Keeps what is sent."""

    sent: list = field(default_factory=list)

    def write(self, data: bytes) -> None:
        self.sent.append(json.loads(data.partition(b"\r\n\r\n")[2]))

    def close(self) -> None:
        pass

    def states(self) -> list[str]:
        return [
            message["params"]["state"]
            for message in self.sent
            if message.get("method") == "fimLsp/documentState"
        ]


def tell(server: FimServer, method: str, params: object, id_: int | None = None) -> None:
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    server.protocol.receive(json.dumps(message | ({} if id_ is None else {"id": id_})).encode())


async def test_another_model_may_know_other_languages():
    models = {"one": PYTHON, "two": scripted_model("a + b", languages=("go",))}
    host = ModelHost(lambda settings: models[settings.model])
    server, wire = new_server(host), Wire()
    server.protocol.set_writer(wire)
    wanted = {"experimental": {"fimLsp": {"documentState": True}}}
    options = {"model": "one", "workspaceIndex": False}
    tell(
        server,
        "initialize",
        {
            "processId": None,
            "rootUri": None,
            "capabilities": wanted,
            "initializationOptions": options,
        },
        id_=0,
    )
    tell(server, "initialized", {})
    document = {"uri": "file:///a.go", "languageId": "go", "version": 1, "text": "x := "}
    tell(server, "textDocument/didOpen", {"textDocument": document})
    while wire.states() != ["onRequest"]:
        await asyncio.sleep(0.001)
    tell(server, "workspace/didChangeConfiguration", {"settings": {"fimLsp": {"model": "two"}}})
    while len(wire.states()) < 2:
        await asyncio.sleep(0.001)

    assert ["onRequest", "active"] == wire.states()
    server.close()
    host.close()
