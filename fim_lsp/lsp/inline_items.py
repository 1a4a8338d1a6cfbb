"""Turns completions into the items of `textDocument/inlineCompletion`."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types as lsp

from fim_lsp.document import DocumentSnapshot
from fim_lsp.lsp.positions import Encoding, end_of_line, num_units, start_of_line
from fim_lsp.suggestion import Completion

ACCEPT = "fimLsp.accept"
"""The command that travels with each suggestion, and that the editor runs when it is accepted."""


def accept_command(completion: Completion) -> lsp.Command:
    """Returns the command that tells the server of an acceptance."""
    return lsp.Command("Suggestion accepted", ACCEPT, arguments=[completion.id])


def to_items(
    completions: Sequence[Completion], snapshot: DocumentSnapshot, encoding: Encoding
) -> lsp.InlineCompletionList:
    """Returns completions as the editor wants them, with ranges on the cursor's line."""
    text = snapshot.text
    start_of_cursors_line = start_of_line(text, snapshot.offset)
    end_of_cursors_line = end_of_line(text, snapshot.offset)

    def position(offset: int) -> lsp.Position:
        inside = min(max(offset, start_of_cursors_line), end_of_cursors_line)
        before = text[start_of_cursors_line:inside]
        return lsp.Position(snapshot.line, num_units(before, encoding))

    return lsp.InlineCompletionList(
        [
            lsp.InlineCompletionItem(
                insert_text=completion.text.replace("\r\n", "\n").replace("\r", "\n"),
                range=lsp.Range(position(completion.start), position(completion.end)),
                command=accept_command(completion),
            )
            for completion in completions
            if completion.text
        ]
    )
