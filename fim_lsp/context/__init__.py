"""What else of the project may help at the cursor: whole definitions and whole lines of others.

    regions -> one module per source -> ranking -> gathering

Nothing of the line that is being written is looked at: while one types on a line the snippets stay
as they are, and with them the beginning of the prompt that the engine has read already.
"""

from fim_lsp.context.cross_file import NOWHERE, CrossFileContext
from fim_lsp.context.gathering import Gathered, gather
from fim_lsp.context.source import EVERY_SOURCE, Source, sources_of

__all__ = [
    "EVERY_SOURCE",
    "NOWHERE",
    "CrossFileContext",
    "Gathered",
    "Source",
    "gather",
    "sources_of",
]
