"""Answers `textDocument/completion` for editors that have no inline completion, by one entry.

It is off by default (setting `completionFallback`).  The entry follows from how editors take such
entries:

* one line of the suggestion and no more: what the list shows is what comes in.  Neovim puts in the
  first line alone, and others indent the lines after it anew.  The next line is the next offer;
* a snippet without places, where the client takes snippets: Neovim 0.11 puts in plain text up to
  its first space only;
* the range is the word before the cursor and ends at the cursor: editors filter by what stands in
  the range, and some replace nothing behind the cursor;
* the list is incomplete, so that the editor asks again at the next key;
* the answer is there before `TIMEOUT_SECONDS` are over, with or without the entry: some editors
  show no list before every server has answered.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping

from lsprotocol import types as lsp

from fim_lsp.document import DocumentSnapshot
from fim_lsp.lsp.fields import field_at
from fim_lsp.lsp.inline_items import accept_command
from fim_lsp.lsp.positions import LINE_END, Encoding, num_units, start_of_line
from fim_lsp.lsp.session import FimServer
from fim_lsp.suggestion import Completion

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.2
OPTIONS = lsp.CompletionOptions(trigger_characters=list(" .([{=,:"))

_MEANS_MORE_IN_A_SNIPPET = re.compile(r"[\\$}]")
_WORD = re.compile(r"\w*\Z")
_FIRST = "!"
"""Sorts before every name; whoever switched this on wants to see the entry."""


def offer(server: FimServer, client_capabilities: object) -> None:
    """Serves plain completion to this client, if its user wants that and nothing better is there.

    Call while `initialize` is handled, before the capabilities are put together.  The client may
    name inline completion and say null of it (lsp-mode does): it knows the method.
    """
    if server.settings.completion_fallback and not _has_inline_completion(client_capabilities):
        list_maker = _ListMaker(_takes_snippets(client_capabilities))

        async def complete(server: FimServer, params: lsp.CompletionParams) -> lsp.CompletionList:
            return await list_maker.complete(server, params)

        server.feature(lsp.TEXT_DOCUMENT_COMPLETION, OPTIONS)(complete)


class _ListMaker:
    """Answers one client.  A question asked again goes on waiting for the work it began before."""

    def __init__(self, takes_snippets: bool) -> None:
        self._takes_snippets = takes_snippets
        self._question: object = None
        self._found: asyncio.Future[list[Completion] | None] | None = None

    async def complete(self, server: FimServer, params: lsp.CompletionParams) -> lsp.CompletionList:
        """Returns one entry or none, in time."""
        # First of all, and before any await: later edits must not reach this request.
        snapshot = server.snapshot(params.text_document.uri, params.position)
        if snapshot is None or not server.settings.completion_fallback:
            return _list()
        server.visited(snapshot.uri)
        found = self._begin(server, snapshot)
        try:
            await asyncio.wait({found}, timeout=TIMEOUT_SECONDS)
        except asyncio.CancelledError:
            server.provider.cancel(snapshot.uri)
            if server.protocol.is_shut_down:
                return _list()
            raise
        if not found.done():
            logger.info("no completion in time; the work goes on, for the editor will ask again")
            return _list()
        if not server.is_current(snapshot):
            return _list()
        items = (
            to_item(one, snapshot, server.documents.encoding, self._takes_snippets)
            for one in found.result() or ()
        )
        return _list(*[item for item in items if item is not None][:1])

    def _begin(
        self, server: FimServer, snapshot: DocumentSnapshot
    ) -> asyncio.Future[list[Completion] | None]:
        question = (snapshot.uri, snapshot.version, snapshot.offset, server.settings)
        known = self._found if question == self._question else None
        if known is not None and (not known.done() or known.result()):
            return known
        found: asyncio.Future[list[Completion] | None] = asyncio.get_running_loop().create_future()
        self._question, self._found = question, found

        async def work() -> None:
            completions = None
            try:
                completions = await server.provider.complete(server.request(snapshot))
            finally:
                if not found.done():
                    found.set_result(completions)

        server.spawn(work())
        return found


def to_item(
    completion: Completion,
    snapshot: DocumentSnapshot,
    encoding: Encoding,
    as_snippet: bool = False,
) -> lsp.CompletionItem | None:
    """Returns the first line of a completion as an entry; None when nothing is left of it."""
    text, cursor = snapshot.text, snapshot.offset
    first_line = LINE_END.split(completion.text, maxsplit=1)[0]
    line = without_swallowed(first_line, text[cursor : completion.end])
    if not line.strip():
        return None
    before = text[start_of_line(text, cursor) : cursor]
    word = _WORD.findall(before)[0]
    start = num_units(before[: len(before) - len(word)], encoding)
    whole = word + line
    return lsp.CompletionItem(
        label=whole.strip(),
        kind=lsp.CompletionItemKind.Text,
        detail="fim-lsp",
        documentation=word + completion.text,
        filter_text=whole,
        sort_text=_FIRST,
        insert_text_format=(
            lsp.InsertTextFormat.Snippet if as_snippet else lsp.InsertTextFormat.PlainText
        ),
        text_edit=lsp.TextEdit(
            lsp.Range(
                lsp.Position(snapshot.line, start),
                lsp.Position(snapshot.line, num_units(before, encoding)),
            ),
            _MEANS_MORE_IN_A_SNIPPET.sub(r"\\\g<0>", whole) if as_snippet else whole,
        ),
        command=accept_command(completion),
    )


def without_swallowed(line: str, swallowed: str) -> str:
    """Returns the line up to the closers behind the cursor that it repeats.

    >>> without_swallowed("a, b):", ")")
    'a, b'
    >>> without_swallowed("a, b):", "")
    'a, b):'
    >>> without_swallowed("a", ")")
    ''
    """
    return line if not swallowed else line[: max(0, line.rfind(swallowed))]


def _list(*items: lsp.CompletionItem) -> lsp.CompletionList:
    return lsp.CompletionList(is_incomplete=True, items=list(items))


def _has_inline_completion(client_capabilities: object) -> bool:
    text_document = field_at(client_capabilities, "textDocument")
    return isinstance(text_document, Mapping) and "inlineCompletion" in text_document


def _takes_snippets(client_capabilities: object) -> bool:
    path = ("textDocument", "completion", "completionItem", "snippetSupport")
    return field_at(client_capabilities, *path) is True
