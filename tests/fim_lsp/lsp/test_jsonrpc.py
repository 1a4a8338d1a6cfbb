"""A conversation leaves nothing in memory, and pygls is overridden in one place."""

import ast
import asyncio
import gc
import json
import re
from concurrent.futures import Future
from importlib import metadata
from pathlib import Path

import pytest
from pygls.protocol import LanguageServerProtocol
from pygls.workspace import Workspace

from fim_lsp.lsp import jsonrpc
from fim_lsp.lsp.handlers import new_server
from fim_lsp.model_host.host import ModelHost
from tests.support.scripted_host import scripted_model

URI = "file:///a.py"
ROOT = Path(__file__).parents[3]

PRIVATE_NAMES = {
    LanguageServerProtocol: {
        "_converter", "_execute_handler", "_handle_response", "_request_futures", "_result_types",
        "_send_data", "_send_response", "_serialize_message", "_shutdown", "_workspace",
    },
    Workspace: {"_create_text_document"},
}  # fmt: skip
"""The names of pygls, private to it, on which the server depends."""


class Wire:
    """Keeps what is sent."""

    def __init__(self):
        self.sent = []

    def write(self, data):
        self.sent.append(json.loads(data.partition(b"\r\n\r\n")[2]))

    def close(self):
        pass


async def started():
    host = ModelHost(lambda settings: scripted_model("a + b"))
    server, wire = new_server(host), Wire()
    server.protocol.set_writer(wire)
    tell(server, "initialize", {"processId": None, "rootUri": None, "capabilities": {}}, id_=0)
    while host.loaded is None:
        await asyncio.sleep(0.001)
    tell(server, "initialized", {})
    return server, wire, host


def tell(server, method, params, id_=None):
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    server.protocol.receive(json.dumps(message | ({} if id_ is None else {"id": id_})).encode())


def change(server, version):
    start = {"line": 0, "character": 0}
    edit = {"range": {"start": start, "end": start}, "text": "x" if version % 2 else ""}
    tell(
        server,
        "textDocument/didChange",
        {"textDocument": {"uri": URI, "version": version}, "contentChanges": [edit]},
    )


def opened(server):
    document = {"uri": URI, "languageId": "python", "version": 1, "text": "y = "}
    tell(server, "textDocument/didOpen", {"textDocument": document})


async def test_notifications_leave_nothing_behind():
    server, _, host = await started()
    opened(server)
    change(server, 2)
    gc.collect()
    before = sum(type(thing) is Future for thing in gc.get_objects())
    for version in range(3, 203):
        change(server, version)
        await asyncio.sleep(0)
    gc.collect()

    assert 0 == server.protocol.num_pending_requests
    assert sum(type(thing) is Future for thing in gc.get_objects()) <= before + 1
    host.close()


async def test_requests_leave_nothing_behind():
    server, wire, host = await started()
    opened(server)
    for number in range(1, 51):
        change(server, number + 1)
        params = {
            "textDocument": {"uri": URI},
            "position": {"line": 0, "character": 4},
            "context": {"triggerKind": 1},
        }
        tell(server, "textDocument/inlineCompletion", params, id_=number)
        while not any(message.get("id") == number for message in wire.sent):
            await asyncio.sleep(0.001)

    assert 0 == server.protocol.num_pending_requests
    host.close()


def test_the_installed_pygls_is_one_that_the_protocol_was_proven_with():
    assert metadata.version("pygls") in jsonrpc.PROVEN_WITH


def test_the_pin_of_pygls_lets_in_no_other_minor_version_than_was_proven():
    pin = re.search(r'"pygls>=([\d.]+),<([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    lowest, bound = (tuple(map(int, text.split("."))) for text in pin.groups())
    proven = [tuple(map(int, text.split("."))) for text in jsonrpc.PROVEN_WITH]

    assert lowest == min(proven)
    assert bound == (max(proven)[0], max(proven)[1] + 1)


@pytest.mark.parametrize(
    ("owner", "name"), [(owner, name) for owner, names in PRIVATE_NAMES.items() for name in names]
)
def test_pygls_still_has_what_is_overridden_or_used_of_it(owner, name):
    is_attribute = name in vars(new_server(ModelHost()).protocol)

    assert is_attribute or callable(getattr(owner, name, None))


def private_names_in(path: Path) -> set[str]:
    """Attributes and methods of these names in a module."""
    tree = ast.parse(path.read_text("utf-8"))
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    methods = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return (attributes | methods) & set().union(*PRIVATE_NAMES.values())


def test_private_names_of_pygls_are_used_in_one_module_for_each_of_its_classes():
    modules = Path(jsonrpc.__file__).parents[1].rglob("*.py")
    users = {path.name: names for path in modules if (names := private_names_in(path))}

    assert users == {
        "jsonrpc.py": PRIVATE_NAMES[LanguageServerProtocol],
        "document_workspace.py": PRIVATE_NAMES[Workspace],
    }
