"""Finds what other programs have fetched already: the hub's library, llama.cpp, LM Studio, Ollama.

    $HF_HUB_CACHE or $HF_HOME/hub   models--ORG--NAME/snapshots/COMMIT/FILE
    $LLAMA_CACHE                    ORG_NAME_FILE
    ~/.lmstudio/models              ORG/NAME/FILE
    $OLLAMA_MODELS                  blobs/sha256-HASH, manifests/HOST/ORG/NAME/TAG

A file counts if its content has the hash that is looked for; where no hash is known, if its name
and its size are those.  Nothing is written to these folders.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from model_runtime.files import sha256_of
from model_runtime.store.hub import HubFile, Repository

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TOLERANCE = 0.03
"""Part by which the size of a file without a known hash may differ from the catalogue's."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A .gguf file of a repository."""

    repository: str
    file: str
    size: int
    """Bytes; about so many where no hash is known."""
    sha256: str = ""
    """Hash; empty where it is not known."""


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """A file, or a folder, that another program has fetched."""

    path: Path
    program: str
    sha256: str
    """Hash of its content; empty for a folder."""


def find_copy(wanted: Wanted) -> LocalCopy | None:
    """Returns a copy of a file; None where no program has one.

    Candidates of the right size are read once, to hash them.
    """
    for program, candidates in (
        ("the Hugging Face cache", _hub_cache(wanted)),
        ("llama.cpp's cache", _llama_cpp(wanted)),
        ("LM Studio's models", _lm_studio(wanted)),
        ("Ollama's models", _ollama(wanted)),
    ):
        for path in candidates:
            with suppress(OSError):
                if not _fits(path, wanted):
                    continue
                digest = sha256_of(path)
                if wanted.sha256 in ("", digest):
                    return LocalCopy(path, program, digest)
    return None


def find_snapshot(repository: Repository, files: tuple[HubFile, ...]) -> LocalCopy | None:
    """Returns the folder of the hub's library with all these files at that commit, or None."""
    for folder in sorted(
        _repository_cache(repository.name).glob(f"snapshots/{repository.revision}")
    ):
        with suppress(OSError):
            if all(file.is_content(folder / file.name) for file in files):
                return LocalCopy(folder, "the Hugging Face cache", "")
    return None


def _fits(path: Path, wanted: Wanted) -> bool:
    if not path.is_file():
        return False
    size = path.stat().st_size
    if wanted.sha256:
        return size == wanted.size
    return abs(size - wanted.size) <= wanted.size * _TOLERANCE


def _hub_cache(wanted: Wanted) -> Iterator[Path]:
    own = _repository_cache(wanted.repository)
    if wanted.sha256:  # whatever repository it was fetched from
        yield from sorted(own.parent.glob(f"models--*/blobs/{wanted.sha256}"))
    yield from sorted(own.glob(f"snapshots/*/{wanted.file}"))


def _repository_cache(repository: str) -> Path:
    home = Path(os.environ.get("HF_HOME") or _cache() / "huggingface")
    folder = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return folder / f"models--{repository.replace('/', '--')}"


def _llama_cpp(wanted: Wanted) -> Iterator[Path]:
    default = user_cache_path("llama.cpp", appauthor=False)
    folder = Path(os.environ.get("LLAMA_CACHE") or default)
    for path in _files(folder):
        if path.name.endswith(wanted.file):
            yield path


def _lm_studio(wanted: Wanted) -> Iterator[Path]:
    for folder in (Path.home() / ".lmstudio" / "models", _cache() / "lm-studio" / "models"):
        yield from sorted(folder.glob(f"*/*/{wanted.file}"))


def _ollama(wanted: Wanted) -> Iterator[Path]:
    folders = [Path.home() / ".ollama" / "models"]
    if sys.platform == "linux":
        folders.append(Path("/usr/share/ollama/.ollama/models"))  # of its system service
    if set_by_user := os.environ.get("OLLAMA_MODELS"):
        folders = [Path(set_by_user)]
    for folder in folders:
        if wanted.sha256:
            yield folder / "blobs" / f"sha256-{wanted.sha256}"
            continue
        for manifest in sorted((folder / "manifests").glob(f"*/{wanted.repository}/*")):
            for digest in _weights_of(manifest):
                yield folder / "blobs" / digest.replace(":", "-")


def _weights_of(manifest: Path) -> list[str]:
    """Returns the digests of the weights that a manifest of Ollama names."""
    try:
        layers = json.loads(manifest.read_text(encoding="utf-8"))["layers"]
        return [
            str(layer["digest"])
            for layer in layers
            if layer.get("mediaType") == "application/vnd.ollama.image.model"
            and _DIGEST.fullmatch(str(layer.get("digest")))
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []


def _cache() -> Path:
    """Returns the folder that these programs call the cache, on every system."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
