"""Keeps an engine's own form of a bundle in the user's cache, made once.

    <cache>/fim-lsp/derived/<kind>-<key>/      the engine's files and derived.json, its receipt

The key is a hash of all that the form depends on, so neither a new model nor a new version of a
backend can meet old files.  A folder whose files are not those of its receipt, by size and
checksum, is made again; where the cache cannot be written, a temporary folder serves until the
process ends.  What ends without Python's exit handlers, as a server does, calls
`remove_temporary_forms`; what a killed process leaves, the next one removes.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from platformdirs import user_cache_path

from model_runtime.errors import EngineUnavailable
from model_runtime.files import building, cannot_write, claim_folder
from model_runtime.model_files import UnusableFile, read_json
from model_runtime.models.bundle import ModelBundle
from model_runtime.progress import step

if TYPE_CHECKING:
    from filelock import BaseFileLock

logger = logging.getLogger(__name__)

_RECEIPT, _WEIGHTS = "derived.json", "weights"
_BLOCK, _MAX_BLOCKS = 2**18, 256
"""Bytes that are read at once, and the most reads of one file."""
_temporary: list[tuple[Path, BaseFileLock]] = []
"""Folders of this process outside the cache, and the locks that keep them."""
_LAYOUT_VERSION = 4
"""Number of the layout; raise it when the code that derives changes what it writes."""


def artifact_folder(
    bundle: ModelBundle,
    *,
    kind: str,
    version: str,
    build: Callable[[Path], None],
    anew: bool = False,
) -> Path:
    """Returns the folder of `kind` for this bundle; `build` fills an empty one where there is none.

    Args:
        bundle: where the weights are.
        kind: backend and number type, as in "ctranslate2-int8".
        version: of the backend, whose format may change.
        build: writes the engine's files.
        anew: builds also where a folder looks whole, because it cannot be loaded.
    """
    key = _key(bundle, kind, version)
    target = _folder_of_all() / f"{kind}-{key[:20]}"
    receipt = _Receipt(key, bundle.manifest.weights.sha256)
    if not anew and _is_complete(target, receipt):
        return target
    what = f"preparing {bundle.manifest.name} for {kind}, once"
    logger.info("%s", what)
    with step(what):
        return _built(target, receipt, build)


def forms_by_weights() -> dict[str, list[Path]]:
    """Returns the folders in the cache by the SHA-256 of the weights that they were made of."""
    found: dict[str, list[Path]] = {}
    try:
        folders = sorted(_folder_of_all().iterdir())
    except OSError:
        return {}
    for folder in folders:
        try:
            weights = read_json(folder / _RECEIPT).get(_WEIGHTS)
        except (OSError, UnusableFile):
            continue
        if isinstance(weights, str):
            found.setdefault(weights, []).append(folder)
    return found


def _folder_of_all() -> Path:
    return user_cache_path("fim-lsp", appauthor=False) / "derived"


class _Receipt(NamedTuple):
    """Says what a folder was made for."""

    key: str
    weights: str
    """SHA-256 of the weights, by which the folders of a model are found."""


def remove_temporary_forms() -> None:
    """Removes the forms that lie in temporary folders; their engines must not be used any more."""
    while _temporary:
        work, lock = _temporary.pop()
        lock.release()
        shutil.rmtree(work, ignore_errors=True)


def _built(target: Path, receipt: _Receipt, build: Callable[[Path], None]) -> Path:
    """Fills and returns `target`, or a temporary folder where `target` cannot be written.

    Raises:
        EngineUnavailable: neither can be written.
    """
    try:
        with building(target) as folder:
            build(folder)
            _write_receipt(folder, receipt)
        return target
    except OSError as error:
        logger.warning("%s cannot be written (%s); using a temporary folder", target, error)
    parent = Path(tempfile.gettempdir())
    try:
        work, lock = claim_folder(parent, target.name)
        if not _temporary:
            atexit.register(remove_temporary_forms)
        _temporary.append((work, lock))
        folder = work / "new"
        folder.mkdir()
        build(folder)
    except OSError as error:
        raise EngineUnavailable(
            f"{target.parent} has no room for the engine's form of the model, and neither has "
            f"{parent}: {cannot_write(parent, error)}"
        ) from error
    return folder


def _key(bundle: ModelBundle, kind: str, version: str) -> str:
    from model_runtime.models import schema  # which an opened bundle has loaded

    manifest = bundle.manifest
    facts = {
        "layout": _LAYOUT_VERSION,
        "kind": kind,
        "version": version,
        "weights": manifest.weights.sha256,
        "family": manifest.weights.family,
        "decoder": schema.write(manifest.decoder),
        "context": manifest.context_length,
        "end": manifest.prompt.end,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> dict[str, list[int]]:
    """Returns size and checksum of each file."""
    paths = (path for path in folder.iterdir() if path.name != _RECEIPT)
    return {path.name: [path.stat().st_size, _checksum(path)] for path in paths}


def _checksum(path: Path) -> int:
    """Returns the CRC-32 of a file; of a large one of blocks all over it.

    A start must not wait for gigabytes.  The checksum is there to find what a crash leaves: files
    of the right size with zeros in them, which a backend would load and answer with nonsense.
    """
    stride = max(_BLOCK, path.stat().st_size // _MAX_BLOCKS)
    checksum, place = 0, 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
            place += stride
            file.seek(place)
    return checksum


def _write_receipt(folder: Path, receipt: _Receipt) -> None:
    content = _content(folder, receipt)
    (folder / _RECEIPT).write_text(json.dumps(content), encoding="utf-8")


def _content(folder: Path, receipt: _Receipt) -> dict[str, object]:
    return {"key": receipt.key, _WEIGHTS: receipt.weights, "files": _files(folder)}


def _is_complete(folder: Path, receipt: _Receipt) -> bool:
    try:
        found = read_json(folder / _RECEIPT)
        return found.items() >= _content(folder, receipt).items()
    except (OSError, UnusableFile):
        return False
