"""What stays of a conversation in memory."""

import asyncio
import gc
import json
from concurrent.futures import Future

from fim_lsp.lsp.handlers import new_server
from fim_lsp.model_host.host import ModelHost
from tests.support.scripted_host import scripted_model

URI = "file:///a.py"


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

    assert not server.protocol._request_futures
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

    assert not server.protocol._request_futures
    host.close()
