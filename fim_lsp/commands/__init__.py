"""Implements the subcommands of `fim-lsp` that are run from a terminal."""
