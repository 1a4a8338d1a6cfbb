"""The errors of an evaluation, in the user's words.

    EvaluationError               every error below; a ModelRuntimeError, so one border catches both
      DataError                   a benchmark file is missing, exchanged or unreadable
      SandboxUnavailable          nothing on this machine can confine a program
      SandboxBroken               the sandbox itself failed: no verdict on the program

A program that fails its checks is a result, never an error.
"""

from __future__ import annotations

from model_runtime.errors import ModelRuntimeError


class EvaluationError(ModelRuntimeError):
    """An evaluation that cannot go on; also a setting that makes no sense."""


class DataError(EvaluationError):
    """A benchmark file cannot be used."""


class SandboxUnavailable(EvaluationError):
    """No isolation works here, and running without one was not asked for by name."""


class SandboxBroken(EvaluationError):
    """A program could not even be started; counting it as failed would falsify the score."""
