"""Tells what a user means by SOURCE in `models add SOURCE`.

    qwen2.5-coder-0.5b            a row of the catalogue
    ORG/NAME, ORG/NAME@REVISION   a repository of the Hugging Face hub
    ORG/NAME/model.gguf           one file of it
    ./folder, ~/model.gguf        what lies here

What exists here counts first, but for a plain name, which is always the catalogue's where it has
one: a folder of that name is written ./NAME.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from os.path import isdir, isfile  # unlike those of Path, false also for impossible paths
from pathlib import Path

from model_runtime.catalogue.entries import CatalogueModel, find_model, near_names
from model_runtime.errors import ConversionError, shown
from model_runtime.store.names import is_path, path_of

GGUF = ".gguf"

_REMOTE = re.compile(
    r"(?P<repository>[A-Za-z0-9][\w.-]*/[\w.-]+)"
    r"(?:/(?P<file>[\w][\w.+-]*\.gguf))?"
    r"(?:@(?P<revision>[\w][\w./-]*))?"
)


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A folder or a .gguf file on this machine."""

    path: Path

    @property
    def default_name(self) -> str:
        """The name to install it under, if the user gives none."""
        return self.path.stem if self.path.suffix == GGUF else self.path.resolve().name


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """A repository of the hub, or one file of it."""

    repository: str
    file: str = ""
    """A .gguf file of the repository; empty where the repository decides."""
    revision: str = ""
    """Commit, branch or tag; empty for the newest."""
    model: CatalogueModel | None = None
    """Row of the catalogue that it comes from."""

    @property
    def default_name(self) -> str:
        """The name to install it under, if the user gives none."""
        if self.model is not None:
            return self.model.name
        return Path(self.file).stem or self.repository.partition("/")[2]

    @property
    def title(self) -> str:
        """A name for people."""
        return self.model.name if self.model is not None else self.repository


def read_source(written: str, revision: str | None = None) -> LocalSource | RemoteSource:
    """Returns what was meant; nothing is fetched or opened yet.

    Args:
        written: by the user.
        revision: of a repository, in place of one after an @.

    Raises:
        ConversionError: there is no such thing; near names of the catalogue are suggested.
        CatalogueError: the catalogue cannot be read.
    """
    model = None if is_path(written) else find_model(written)
    if model is not None:
        pinned = revision or model.revision
        return RemoteSource(model.repository, model.file, pinned, model)
    path = path_of(written, ConversionError)
    if isdir(path) or isfile(path):
        if revision:
            raise ConversionError(f"{path} lies here and has no revisions; leave --revision out")
        return LocalSource(path)
    if found := _REMOTE.fullmatch(written):
        asked = revision or found["revision"] or ""
        return RemoteSource(found["repository"], found["file"] or "", asked)
    if not is_path(written) and (near := near_names(written)):
        raise ConversionError(
            f"no model is named {shown(written)}; did you mean {' or '.join(near)}? all are shown "
            "by: fim-runtime models available"
        )
    raise ConversionError(
        f"{written} is no folder, no .gguf file, no ORG/NAME of a model on the Hugging Face hub, "
        "and no name from: fim-runtime models available"
    )
