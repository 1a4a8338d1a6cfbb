"""The real server with a completer that does what the document says.

    python tests/protocol/scripted_server.py [--tcp HOST:PORT] [--socket PATH] [--load-seconds S]
                                             [--load-error TEXT] [--noisy]
                                             [--target FILE] [--answer-ms MS,MS,...]

The text before the cursor chooses the answer (its last line is enough):

    ...wait         0.3 s, then SAW:<text of the document>
    ...hang         nothing until it is superseded or cancelled
    ...raise        an exception
    ...nothing      an empty list
    ...bracket      swallows the character after the cursor
    ...crlf         a suggestion with all three line ends in it
    ...surrogate    a suggestion that ends in a lone surrogate
    ...others       OTHERS:<paths of the other documents>
    ...sample       SAW: and path, language, line, offset and indentation as JSON
    anything else   SAW:<text of the document>

In a document of the language "dump" it is the whole text as JSON, for line ends in it to survive;
after one in "endless" the traces hold numbers that JSON does not have.

With --target the user is writing that file: the suggestion is what is missing of it up to the next
empty line, or nothing where he has left it.  A closing bracket behind the cursor is swallowed when
the suggestion has it.  --answer-ms are the times that the first, the second, ... answer takes; the
last holds for all that follow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fim_lsp.completion.reasons import ConfidenceFigures, RequestOutcome
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.trace import GenerationTrace, RequestLog, RequestTrace
from fim_lsp.document import DocumentSnapshot
from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.exclusion.judge import is_excluded
from fim_lsp.lsp import tcp, unix_socket
from fim_lsp.lsp.stdio import leave, serve_stdio
from fim_lsp.model_host.status import HostStatus, StatusPublisher, Subscriber
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Completion, Trigger
from model_runtime.store.names import AUTO, DEFAULT


class ScriptedHost:
    """Loads nothing, for as long as it is told."""

    def __init__(
        self,
        load_seconds: float,
        load_error: str,
        target: str | None = None,
        answer_ms: Sequence[float] = (),
    ) -> None:
        self.target, self.answer_ms = target, answer_ms
        self._seconds, self._error = load_seconds, load_error
        self._publisher = StatusPublisher()
        self._is_asked = False
        self.loaded = None
        self.in_use = self.asked_for = self.chosen = "scripted"

    @property
    def status(self) -> HostStatus:
        return self._publisher.current

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        return self._publisher.subscribe(subscriber)

    def apply(self, settings: Settings) -> None:
        self._publisher.change(model=DEFAULT if settings.model == AUTO else settings.model)
        if not self._is_asked:
            self._is_asked = True
            if self._seconds:
                asyncio.get_running_loop().call_later(self._seconds, self._finish)
            else:
                self._finish()

    def choose(self, name: str) -> None:
        pass

    def close(self) -> None:
        self._publisher.close()

    def _finish(self) -> None:
        state = "error" if self._error else "ready"
        self._publisher.change(state=state, message=self._error, engine="scripted")


class ScriptedProvider:
    """Newest wins, without debounce; see the module's text for the answers."""

    def __init__(self, host: ScriptedHost) -> None:
        self._host = host
        self._target = host.target
        self._answer_ms = list(host.answer_ms)
        self._pending: dict[str, asyncio.Future[None]] = {}
        self.log = RequestLog()

    async def complete(self, request: CompletionRequest) -> list[Completion] | None:
        snapshot = request.snapshot
        self.document_changed(snapshot.uri)
        superseded = self._pending[snapshot.uri] = asyncio.get_running_loop().create_future()
        trace = RequestTrace(snapshot.uri, request.trigger, outcome=RequestOutcome.CANCELLED)
        try:
            answer = await self._answer(request, superseded)
            trace.outcome = RequestOutcome.SUPERSEDED if answer is None else RequestOutcome.SHOWN
            return answer
        finally:
            if snapshot.language_id == "endless":
                figures = ConfidenceFigures(float("nan"), float("-inf"), 0.5)
                trace.generation = GenerationTrace(confidence=figures)
            self.log.add(trace)

    async def _answer(
        self, request: CompletionRequest, superseded: asyncio.Future[None]
    ) -> list[Completion] | None:
        snapshot, trigger, settings = request.snapshot, request.trigger, request.settings
        selected, other_documents = request.selected, request.other_documents
        if (
            not settings.enabled
            or not settings.is_language_enabled(snapshot.language_id)
            or is_excluded(snapshot.uri, settings.exclude)
            or self._host.status.state != "ready"
        ):
            return []
        before = snapshot.text[: snapshot.offset]
        seconds = 0.3 if before.endswith("wait") else 60 if before.endswith("hang") else 0
        if self._answer_ms:
            more = len(self._answer_ms) > 1
            seconds = (self._answer_ms.pop(0) if more else self._answer_ms[0]) / 1e3
        if seconds:
            await asyncio.wait({superseded}, timeout=seconds)
        if superseded.done():
            return None
        if before.endswith("raise"):
            raise RuntimeError(f"secret text {snapshot.text}")
        if self._target is not None:
            return self._missing(snapshot, self._target, trigger, settings)
        text = f"SAW:{snapshot.text}"
        if snapshot.language_id == "dump":
            text = json.dumps(snapshot.text)
        start = end = snapshot.offset
        if before.endswith("nothing"):
            return []
        if before.endswith("bracket"):
            end += 1
        if before.endswith("crlf"):
            text = "one\r\ntwo\rthree\n"
        if before.endswith("surrogate"):
            text = "x\ud83d"
        if before.endswith("others"):
            text = "OTHERS:" + ",".join(other.read().path for other in other_documents())
        if before.endswith("sample"):
            indentation = snapshot.indentation
            text = "SAW:" + json.dumps(
                {
                    "path": snapshot.path,
                    "language": snapshot.language_id,
                    "line": snapshot.line,
                    "offset": snapshot.offset,
                    "indentation": indentation and [indentation.size, indentation.uses_spaces],
                }
            )
        if selected is not None:
            text, start, end = selected.text + "!", selected.start, selected.end
        count = settings.candidates if trigger is Trigger.INVOKED else 1
        return [
            Completion(f"id-{number}", text, start, end, mean_logprob=-0.1)
            for number in range(count)
        ]

    def _missing(
        self, snapshot: DocumentSnapshot, target: str, trigger: Trigger, settings: Settings
    ) -> list[Completion]:
        before, after = snapshot.text[: snapshot.offset], snapshot.text[snapshot.offset :]
        before = before.replace("\r\n", "\n")
        text = target[len(before) :].partition("\n\n")[0].rstrip("\n")
        if not target.startswith(before) or not text.strip():
            return []
        end = snapshot.offset
        if after[:1] in tuple(")]}") and after[:1] in text.partition("\n")[0]:
            end += 1
        others = [f"{text}  # {number}" for number in range(2, settings.candidates + 1)]
        texts = [text, *(others if trigger is Trigger.INVOKED else [])]
        return [
            Completion(f"id-{len(before)}-{number}", text, snapshot.offset, end, mean_logprob=-0.1)
            for number, text in enumerate(texts)
        ]

    def document_changed(self, uri: str, *_: object) -> None:
        pending = self._pending.pop(uri, None)
        if pending is not None and not pending.done():
            pending.set_result(None)

    document_closed = cancel = document_changed

    def close(self) -> None:
        pass

    def document_opened(self, *_: object) -> None:
        pass

    document_saved = folders_opened = file_gone = document_opened

    @property
    def lines(self) -> ScriptedProvider:
        return self

    def accepted(self, completion_id: str) -> None:
        self.log.add(RequestTrace(f"accepted:{completion_id}", Trigger.INVOKED))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tcp", metavar="HOST:PORT")
    parser.add_argument("--socket", type=Path, metavar="PATH")
    parser.add_argument("--load-seconds", type=float, default=0.0)
    parser.add_argument("--load-error", default="")
    parser.add_argument("--noisy", action="store_true", help="print and read as libraries do")
    parser.add_argument("--target", type=Path)
    parser.add_argument("--answer-ms", default="")
    args = parser.parse_args()
    logging.basicConfig(level="INFO", stream=sys.stderr)

    def make_host() -> ScriptedHost:
        if args.noisy:
            print("noise from Python", flush=True)
            os.write(1, b"noise from below\n")
            os.system("echo noise from a child")
            print(f"read: {os.read(0, 1)!r}", flush=True)
        target = args.target.read_text("utf-8") if args.target else None
        answer_ms = [float(ms) for ms in args.answer_ms.split(",") if ms]
        return ScriptedHost(args.load_seconds, args.load_error, target, answer_ms)

    if args.socket is not None:
        return unix_socket.serve_socket(args.socket, make_host, make_provider=ScriptedProvider)
    if args.tcp is not None:
        host, _, port = args.tcp.rpartition(":")
        return tcp.serve_tcp(host, int(port), make_host, make_provider=ScriptedProvider)
    return leave(serve_stdio(make_host, ScriptedProvider))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FimLspError as error:
        print(f"scripted server: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
