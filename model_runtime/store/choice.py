"""Remembers the model that the user has chosen, which every editor uses whose setting says "auto".

    <user data>/fim-lsp/chosen-model    its name in one line; absent for the embedded model

Several programs may write: each replaces the file whole, and the last one counts.
"""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path

from model_runtime.errors import ConversionError, ModelNotFound, shown
from model_runtime.store.names import AUTO, DEFAULT, MODEL_NAME

_MAX_BYTES = 1000


def chosen_model() -> str | None:
    """Returns the name of the chosen model, or None for the embedded one; it may be gone by now."""
    try:
        with _file().open("rb") as file:
            name = file.read(_MAX_BYTES).decode("utf-8").strip()
    except (OSError, ValueError):
        return None
    return name if MODEL_NAME.fullmatch(name) and name not in (AUTO, DEFAULT) else None


def resolved(name: str) -> str:
    """Returns the name of the model that a setting means: the chosen one for "auto"."""
    return (chosen_model() or DEFAULT) if name == AUTO else name


def choose_model(name: str | None) -> None:
    """Remembers a model by its name; "default", "auto" and None go back to the embedded one.

    Raises:
        ModelNotFound: it is the path of a folder.
        ConversionError: the choice cannot be written down.
    """
    if name is not None and not MODEL_NAME.fullmatch(name):
        raise ModelNotFound(
            f"{shown(name)} is no name; add the model first (fim-runtime models add), or name its "
            "folder in the setting `model`"
        )
    from model_runtime.files import replace_text  # not needed at the start of a server

    file = _file()
    try:
        if name in (None, AUTO, DEFAULT):
            file.unlink(missing_ok=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_text(file, f"{name}\n")
    except OSError as error:
        raise ConversionError(
            f"{file} cannot be written ({error.strerror}); make room or allow it, then choose again"
        ) from error


def _file() -> Path:
    return user_data_path("fim-lsp", appauthor=False) / "chosen-model"
