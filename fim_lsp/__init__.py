"""The language server: inline completion for any editor that speaks LSP 3.18."""

from __future__ import annotations


def version() -> str:
    """Returns the version of the installed package; "unknown" for sources."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("fim-lsp")
    except PackageNotFoundError:
        return "unknown"
