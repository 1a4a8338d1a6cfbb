"""A whole conversation with the server that is made of a few bytes, for a fuzzer that sees coverage.

    python -m tests.faults.conversation_of_bytes CORPUS_FOLDER [-runs=N] [libFuzzer's options]

Each byte is a choice of the generators of the other fuzz tests, so that whatever bytes the fuzzer
makes are a conversation.  atheris (`pip install atheris`) instruments the server; what it keeps, for
it reached code that nothing before had reached, is recorded in seeds.txt, one conversation a line,
and `test_seeds` has all of them again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.faults.model_editor import END, ModelEditor

SEEDS = Path(__file__).with_name("seeds.txt")
MAX_MESSAGES = 12
SPARE: list[Any] = [None, True, -1, 0, 2**31, 10**30, 0.5, "", "x", [], {}, [[]], {"uri": 1}]

T = TypeVar("T")


class Choices:
    """Draws from bytes what `random.Random` draws from its seed; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def randrange(self, start: int, stop: int | None = None) -> int:
        if stop is None:
            start, stop = 0, start
        size, drawn = 1, 0
        while size < stop - start:
            drawn = drawn * 256 + next(self._data, 0)
            size *= 256
        return start + drawn % (stop - start)

    def randint(self, start: int, stop: int) -> int:
        return self.randrange(start, stop + 1)

    def random(self) -> float:
        return next(self._data, 0) / 256

    def choice(self, values: Sequence[T]) -> T:
        return values[self.randrange(len(values))]

    def choices(self, values: Sequence[T], k: int) -> list[T]:
        return [self.choice(values) for _ in range(k)]


class Sent:
    """Keeps what the server sends."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        self.messages.append(json.loads(data.partition(b"\r\n\r\n")[2]))

    def close(self) -> None: ...

    def answers(self, number: Any) -> list[dict[str, Any]]:
        return [m for m in self.messages if "method" not in m and m.get("id") == number]


async def converse(data: bytes, pool: Sequence[dict[str, Any]]) -> None:
    """Has the conversation that bytes stand for.

    Args:
        data: the choices.
        pool: messages to choose from, besides those of an editor.

    Raises:
        AssertionError: a request is not answered once, or a text is not the editor's.
    """
    from fim_lsp.lsp.handlers import new_server
    from fim_lsp.model_offers.manager import ModelManager
    from tests.faults.lsp_messages import misshapen
    from tests.protocol.scripted_server import ScriptedHost, ScriptedProvider

    chance: Any = Choices(data)
    host: Any = ScriptedHost(0, "")
    server = new_server(host, ScriptedProvider, models=ModelManager(host))
    sent = Sent()
    server.protocol.set_writer(sent)  # type: ignore[arg-type]
    editor = ModelEditor(chance, chance.choice(["utf-16", "utf-8", "utf-32"]), documents=2)
    numbers: list[Any] = []

    async def tell(message: dict[str, Any]) -> None:
        number = message.get("id")
        if "method" in message and type(number) in (int, str):
            numbers.append(number)
        server.protocol.receive(json.dumps({"jsonrpc": "2.0", **message}).encode())
        await asyncio.sleep(0)

    general = {"positionEncodings": [editor.encoding]}
    params = {"processId": None, "rootUri": None, "capabilities": {"general": general}}
    await tell({"id": "first", "method": "initialize", "params": params})
    await tell({"method": "initialized", "params": {}})
    for number in range(chance.randint(1, MAX_MESSAGES)):
        drawn = chance.randrange(8)
        if drawn < 4:
            await tell(editor.message())
        elif drawn < 5:
            params = editor.place() | {"context": {"triggerKind": chance.choice([1, 2])}}
            await tell({"id": number, "method": "textDocument/inlineCompletion", "params": params})
        elif pool:
            message = chance.choice(pool)
            if drawn > 5:
                message = misshapen(message, chance, SPARE)
            await tell({**message, "id": number} if drawn % 2 else message)
    for uri in editor.texts:
        place = {"line": END[0], "character": END[1]}
        params = {"textDocument": {"uri": uri}, "position": place, "context": {"triggerKind": 1}}
        await tell({"id": uri, "method": "textDocument/inlineCompletion", "params": params})
    for _ in range(200):
        if all(sent.answers(number) for number in numbers):
            break
        await asyncio.sleep(0.001)
    for number in numbers:
        assert 1 == len(sent.answers(number)), number
    for uri in editor.texts:
        items = sent.answers(uri)[0]["result"]["items"]
        assert editor.expected(uri) == json.loads(items[0]["insertText"])
    server.close()


def main() -> None:
    import atheris

    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=["fim_lsp", "pygls", "lsprotocol", "cattrs"]):
        import fim_lsp.lsp.handlers  # noqa: F401
    from tests.faults.lsp_messages import messages
    from tests.faults.test_fuzz import drawn

    pool = drawn(messages(), 300, 19)
    loop = asyncio.new_event_loop()

    def one(data: bytes) -> None:
        loop.run_until_complete(converse(data, pool))

    atheris.Setup([sys.argv[0], "-max_len=400", *sys.argv[1:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
