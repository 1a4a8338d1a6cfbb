"""Reads the catalogue: public models with their licenses, sizes, hashes and published scores.

`models.json` beside this module is the table.  The environment variable FIM_LSP_CATALOGUE names
another file in its place, such as that of a company with models of its own.
"""

# Annotations are evaluated here: cattrs drops the ranges of those that are only text.

import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated

from model_runtime.errors import CatalogueError, shown
from model_runtime.files import sha256_of
from model_runtime.model_files import UnusableFile, read_json
from model_runtime.models.calibration import Calibration
from model_runtime.models.limits import MAX_CONTEXT, MIN_CONTEXT, Between

VARIABLE = "FIM_LSP_CATALOGUE"
"""Environment variable with the path of another catalogue."""

_PACKAGED = Path(__file__).with_name("models.json")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_REVISION = re.compile(r"([0-9a-f]{40})?")
_SHA256 = re.compile(r"([0-9a-f]{64})?")
_FILE = re.compile(r"([\w][\w.+-]*\.gguf)?")

Count = Annotated[int, Between(1, 2**50)]


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """A result of a benchmark, with the place where it can be read."""

    benchmark: str
    value: Annotated[float, Between(0, 100)]
    """Percent."""
    source: str


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A public model that was trained to fill in the middle."""

    name: str
    """Name in the catalogue, under which it is installed as well."""
    family: str
    """Name of the family, for people."""
    parameters: Count
    license: str
    """SPDX name, or the publisher's."""
    license_url: str
    is_permissive: bool
    """True where anybody may use it for anything; else the license is asked for."""
    languages: str
    """Programming languages that it knows, for people."""
    repository: str
    """ORG/NAME on the hub."""
    file: str
    """Name of a .gguf file of the repository; empty where the whole folder is fetched."""
    revision: str
    """Commit of the repository; empty where the newest is taken and recorded."""
    sha256: str
    """Hash of `file`; empty where the hub's own is checked."""
    download_bytes: Count
    """Bytes to fetch; of a file without a hash, within a few percent."""
    prompt_format: str
    """Name of a published prompt format; empty where the tokenizer says which."""
    context_length: Annotated[int, Between(MIN_CONTEXT, MAX_CONTEXT)]
    layers: Count
    hidden: Count
    """Width of the residual stream."""
    kv_width: Count
    """Numbers of the keys of one token in one layer: KV heads times their width."""
    vocabulary: Count
    is_tied: bool
    """True where input and output share one embedding."""
    scores: tuple[PublishedScore, ...]
    quality: Annotated[float, Between(0, 100)]
    """Place on the one scale by which models are ranked; the table says how it is made."""
    measured: tuple[PublishedScore, ...] = ()
    """Results that this project has measured."""
    note: str = ""
    """Reason for this repository and file, for people."""
    calibration: Calibration | None = None
    """Table of `eagerness`, measured with the int8 bundle that `models add` makes of `file`."""
    calibrated_form: str = ""
    """Form of the prompts that it was measured with, as `PromptFormat.form_name` says it."""

    @property
    def is_gguf(self) -> bool:
        """Tells whether one .gguf file is fetched, and not a folder."""
        return self.file != ""


@dataclass(frozen=True, slots=True)
class _Table:
    """The whole file."""

    format_version: Annotated[int, Between(1, 1)]
    about: str
    models: tuple[CatalogueModel, ...]


def catalogue() -> tuple[CatalogueModel, ...]:
    """Returns the models of the catalogue, in its order.

    Raises:
        CatalogueError: the file cannot be read, or is not such a table.
    """
    return _read(Path(os.environ.get(VARIABLE) or _PACKAGED))


def find_model(name: str) -> CatalogueModel | None:
    """Returns the model of that name; None where the catalogue has none.

    Raises:
        CatalogueError: as `catalogue`.
    """
    return next((model for model in catalogue() if model.name == name), None)


def model_of_file(path: Path) -> CatalogueModel | None:
    """Returns the model whose file this is, by size and hash; None where the catalogue has none.

    Raises:
        CatalogueError: as `catalogue`.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    alike = [one for one in catalogue() if one.sha256 and one.download_bytes == size]
    if not alike:
        return None
    found = sha256_of(path)
    return next((model for model in alike if model.sha256 == found), None)


def near_names(name: str) -> list[str]:
    """Returns up to three names of the catalogue that are spelled like this one.

    Raises:
        CatalogueError: as `catalogue`.
    """
    names = [model.name for model in catalogue()]
    held = [known for known in names if name.lower() in known]
    return (held or get_close_matches(name.lower(), names, n=3, cutoff=0.4))[:3]


@cache
def _read(path: Path) -> tuple[CatalogueModel, ...]:
    from model_runtime.models import schema  # cattrs is slow to import

    try:
        models = schema.read(read_json(path), _Table).models
    except UnusableFile as error:
        raise CatalogueError(f"the catalogue {path} cannot be used: {error}") from error
    except schema.Problems as error:
        raise CatalogueError(f"the catalogue {path} cannot be used: {error}") from error
    except OSError as error:
        raise CatalogueError(
            f"the catalogue {path} cannot be read ({error.strerror}); correct {VARIABLE}, or unset "
            "it for the models that come with the program"
        ) from error
    if found := [problem for model in models for problem in _problems(model)]:
        raise CatalogueError(f"the catalogue {path} cannot be used: {'; '.join(found)}")
    names = [model.name for model in models]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CatalogueError(f"the catalogue {path} has two rows named {', '.join(twice)}")
    return models


def _problems(model: CatalogueModel) -> list[str]:
    """Returns what a row says in a form that cannot be used."""
    patterns = {
        "name": (_NAME, "letters, digits, dots, dashes and underscores"),
        "repository": (_REPOSITORY, "ORG/NAME"),
        "file": (_FILE, "the name of a .gguf file, or empty"),
        "revision": (_REVISION, "a commit of 40 hex digits, or empty"),
        "sha256": (_SHA256, "64 hex digits, or empty"),
    }
    found = [
        f"{entry} of {shown(model.name)} is {shown(getattr(model, entry))}, not {meant}"
        for entry, (pattern, meant) in patterns.items()
        if not pattern.fullmatch(getattr(model, entry))
    ]
    if model.sha256 and not model.file:
        found.append(f"sha256 of {shown(model.name)} belongs to a file, and the row names none")
    return found
