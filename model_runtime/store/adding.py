"""Adds models: from a folder, a .gguf file, the catalogue, or a repository of the hub.

Each becomes a bundle in the user's models folder, in place of an earlier one of its name, whole or
not at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.errors import ConversionError, shown
from model_runtime.progress import OnStep, ignore_step
from model_runtime.store import installed
from model_runtime.store.confined import convert_confined
from model_runtime.store.consent import Ask, nobody_to_ask
from model_runtime.store.names import AUTO, DEFAULT, MODEL_NAME
from model_runtime.store.options import AddOptions
from model_runtime.store.sources import LocalSource, read_source

if TYPE_CHECKING:
    from model_runtime.importers.huggingface import ConversionReport

__all__ = ["AddOptions", "add_model"]


def add_model(
    source: str | Path,
    options: AddOptions = AddOptions(),  # noqa: B008 - it cannot be changed
    *,
    progress: OnStep = ignore_step,
    ask: Ask = nobody_to_ask,
) -> ConversionReport:
    """Puts a model into the user's models folder, in place of an earlier one of that name.

    Args:
        source: a name of the catalogue, a Hugging Face folder, a bundle's folder, a .gguf file, or
            ORG/NAME[/FILE.gguf][@REVISION] on the hub, which is downloaded once.
        options: what the source leaves open.
        progress: called with a sentence at each step; shares go to `model_runtime.progress`.
        ask: puts questions to the user, about licenses and about files of other programs.

    Returns:
        What was done; its `is_new` is False where that revision was there already.

    Raises:
        ModelRuntimeError: it cannot be fetched or read, is too large, its license was not accepted,
            or nothing says how to prompt it.
    """
    installed.sweep_leftovers()
    found = read_source(str(source), options.revision)
    chosen = options.name or found.default_name
    if not MODEL_NAME.fullmatch(chosen) or chosen in (AUTO, DEFAULT):
        raise ConversionError(
            f"{shown(chosen)} cannot be the name of an added model; give one with --name, of "
            "letters, digits, dots, dashes and underscores"
        )
    target = installed.models_folder() / chosen
    if isinstance(found, LocalSource):
        return convert_confined(found.path, target, options, progress)

    from model_runtime.store import remote  # huggingface_hub is slow to import

    return remote.add_remote(found, target, options, progress, ask)
