"""The errors of adding a model, each with one sentence for people that says what to do."""

from __future__ import annotations

from fim_lsp.errors import FimLspError


class AddingFailed(FimLspError):
    """A model was not added; the one that answered goes on answering."""


class AddingCancelled(FimLspError):
    """The user has stopped the adding of a model."""
