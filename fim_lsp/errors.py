"""Errors of the server and its command line, in the user's words.

FimLspError          every error below; one sentence with the remedy, exit code 1
  UsageError         the command line asks for something that cannot be; exit code 2
"""

from __future__ import annotations

from collections.abc import Sequence


class FimLspError(Exception):
    """Base of the errors that this package raises on purpose."""


class UsageError(FimLspError):
    """The arguments do not make sense."""


def reason_of(error: BaseException) -> str:
    """Returns what to tell the user of an error by which a model could not be loaded."""
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        return "there is not enough memory for this model; choose a smaller one"
    return str(error) or type(error).__name__


def sentence_of_failure(engine: str, error: Exception, others: Sequence[str]) -> str:
    """Returns what to tell the user of an engine that broke or hung.

    Args:
        engine: its name.
        error: says what happened.
        others: engines that may take its place; empty where none may any more.
    """
    what = f"the engine {engine} failed ({error})"
    if not others:
        return f"{what}; restart the server, or set another engine"
    if engine in others:
        return f"{what} and was opened again; set another engine if that goes on"
    return f"{what}; another one took its place; restart the server to use {engine} again"
