"""Errors of the runtime, in the user's words.

    ModelRuntimeError         every error below; catch this one at a border
      BundleError             a bundle that cannot be used (missing file, wrong hash or canary)
      CatalogueError          a table of public models that cannot be used
      ConversionError         a model folder that cannot be turned into a bundle
      GitError                git is missing, or cannot read a repository
      GgufError               a GGUF file that cannot be read, or not be written of a bundle
      WheelError              a bundle that cannot be written as pip packages
      ModelNotFound           no bundle of this name or path on this machine
      PromptTooLong           prompt and answer together exceed the model's context
      EngineError             the backend failed; open a new engine
      EngineUnavailable       the backend is not installed or does not know this model
      ServerUnavailable       the server that runs the model does not answer now

Every message is one sentence that names the value at fault and the remedy.
"""

from __future__ import annotations

_MAX_SHOWN = 60
_MAX_SENTENCE = 800


class ModelRuntimeError(Exception):
    """Base of all errors that this package raises on purpose."""


class BundleError(ModelRuntimeError):
    """The bundle is damaged, incomplete, or disagrees with this version's prompt code."""


class CatalogueError(ModelRuntimeError):
    """The table of public models cannot be read, or states something impossible."""


class ConversionError(ModelRuntimeError):
    """The source is no model that this package can read."""


class GitError(ModelRuntimeError):
    """Git is missing, or cannot read what it was asked for."""


class GgufError(ModelRuntimeError):
    """The file cannot be read, or what would be written of the bundle llama.cpp could not run."""


class WheelError(ModelRuntimeError):
    """The bundle cannot be written as pip packages."""


class ModelNotFound(ModelRuntimeError):
    """No model of that name or path is on this machine."""


class PromptTooLong(ModelRuntimeError):
    """Prompt and answer together do not fit into the model's context."""


class EngineError(ModelRuntimeError):
    """The backend broke while running; a new engine has to be opened."""


class EngineUnavailable(ModelRuntimeError):
    """The backend is not installed here, or cannot run this kind of model."""


class ServerUnavailable(ModelRuntimeError):
    """The server of a remote engine does not answer now; the same engine may answer later."""

    def __init__(self, message: str, *, is_lasting: bool = False) -> None:
        """Takes the message, and whether it stays true until the user does something."""
        super().__init__(message)
        self.is_lasting = is_lasting


def shown(value: object) -> str:
    """Returns a value as a message quotes it: on one line, without control characters, and short.

    >>> shown("a" * 100)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def some(names: list[str]) -> str:
    """Returns the first names of a list as a message gives them, and how many more there are.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def brief(text: str) -> str:
    r"""Returns a sentence that may quote a stranger's file on one line, and cut off if it is long.

    >>> len(brief("a" * 10_000)), brief("one\ntwo")
    (800, 'one two')
    """
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SENTENCE else f"{line[: _MAX_SENTENCE - 3]}..."
