"""Tells names of models from paths of their folders; one is never taken for the other."""

from __future__ import annotations

import os
import re
from pathlib import Path

from model_runtime.errors import ModelRuntimeError, shown

DEFAULT = "default"
"""Name of the embedded model."""

AUTO = "auto"
"""Word that stands for the chosen model where a name of a model is expected."""

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""Names that an added model may have; each is also the name of a folder."""

REPOSITORY_NAME = re.compile(rf"{MODEL_NAME.pattern}/{MODEL_NAME.pattern}")
"""Names of repositories on the hub; a folder in another one is spelled alike."""


def is_path(name_or_path: str) -> bool:
    """Tells whether a text is a path, which has a separator or begins with ~, as "./mine" does.

    A plain name must not be one: a project could hold a folder of that name.

    >>> [is_path(given) for given in ("mine", "./mine", "~/mine", "..")]
    [False, True, True, True]
    """
    separators = {os.sep, os.altsep or os.sep}
    return (
        name_or_path in (".", "..")
        or name_or_path.startswith("~")
        or not separators.isdisjoint(name_or_path)
        or Path(name_or_path).drive != ""
    )


def depends_on_the_working_folder(name_or_path: str) -> bool:
    """Tells whether a text is a path that means another folder in another working folder."""
    return is_path(name_or_path) and not (
        name_or_path.startswith("~") or Path(name_or_path).is_absolute()
    )


def path_of(written: str, error: type[ModelRuntimeError]) -> Path:
    """Returns the path that a person wrote, with ~ as the home folder.

    Raises:
        ModelRuntimeError: of the given class; it cannot be a path on this machine.
    """
    try:
        path = Path(written).expanduser()
        path.resolve()
    except (OSError, RuntimeError, ValueError) as cause:  # ~name of nobody, a null character
        raise error(f"{shown(written)} cannot be a path here ({cause})") from cause
    return path
