"""Errors of the server and its command line, in the user's words.

FimLspError          every error below; one sentence with the remedy, exit code 1
  UsageError         the command line asks for something that cannot be; exit code 2
"""

from __future__ import annotations


class FimLspError(Exception):
    """Base of the errors that this package raises on purpose."""


class UsageError(FimLspError):
    """The arguments do not make sense."""


def reason_of(error: BaseException) -> str:
    """Returns what to tell the user of an error by which a model could not be loaded."""
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        return "there is not enough memory for this model; choose a smaller one"
    return str(error) or type(error).__name__
