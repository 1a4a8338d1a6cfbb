"""Finds the names that a file imports, by the words of its import lines."""

from __future__ import annotations

import re

from fim_lsp.context.chunks import IDENTIFIER

_MAX_CHARACTERS = 20_000
"""Imports stand at the top."""

_STATEMENT = re.compile(
    r"^[ \t]*(?:from\s+[\w.]+\s+import|import|use|using|require"
    r"|(?:const|let|var)\s+[^=\n]{1,200}=\s*require)\b"
    r"(?:[^\n({]*[({][^)}]{0,2000}[)}]|[^\n]*)",
    re.MULTILINE,
)
_WORDS = frozenset({"from", "import", "use", "using", "require", "export", "const", "let", "var"})


def imported_names(text: str) -> frozenset[str]:
    r"""Returns all names in import statements, those of modules included.

    >>> sorted(imported_names("from shop.stock import (\n    Inventory,\n    Item as Thing,\n)"))
    ['Inventory', 'Item', 'Thing', 'shop', 'stock']
    """
    statements = _STATEMENT.findall(text[:_MAX_CHARACTERS])
    return frozenset(IDENTIFIER.findall("\n".join(statements))) - _WORDS
