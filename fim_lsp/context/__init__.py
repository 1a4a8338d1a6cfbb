"""Gathers what helps at the cursor from other files: whole definitions and whole lines.

    chunks -> one module per source -> ranking -> gathering

The line that is being written is not looked at: while one types on it the snippets stay as they
are, and with them the beginning of the prompt that the engine has read already.
"""

from fim_lsp.context.cross_file import NO_CONTEXT, CrossFileContext
from fim_lsp.context.gathering import Gathered, gather
from fim_lsp.context.source import EVERY_SOURCE, Source, sources_of

__all__ = [
    "EVERY_SOURCE",
    "NO_CONTEXT",
    "CrossFileContext",
    "Gathered",
    "Source",
    "gather",
    "sources_of",
]
