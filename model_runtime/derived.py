"""An engine's own form of a bundle, made once and kept in the user's cache.

    <cache>/fim-lsp/derived/<kind>-<key>/      the engine's files and derived.json, its receipt

The key is a hash of all that the form depends on, so neither a new model nor a new version of a
backend can meet old files.  A folder without a matching receipt is made again, and so is one with a
file of another size, or one that was written to since and whose hash has changed.  Where the cache
cannot be written, a temporary folder serves until the process ends.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from platformdirs import user_cache_path

from model_runtime.bundle import ModelBundle
from model_runtime.files import building, sha256_of

logger = logging.getLogger(__name__)

_RECEIPT = "derived.json"
_LAYOUT_VERSION = 1
"""Raise this when the code that derives changes what it writes."""


def derived_folder(
    bundle: ModelBundle,
    *,
    kind: str,
    version: str,
    build: Callable[[Path], None],
    anew: bool = False,
) -> Path:
    """The folder of `kind` for this bundle; `build` fills an empty one where there is none.

    Args:
        bundle: where the weights are.
        kind: backend and number type, as in "ctranslate2-int8".
        version: of the backend, whose format may change.
        build: writes the engine's files.
        anew: also where there is one that looks whole, because it cannot be loaded.
    """
    key = _key(bundle, kind, version)
    target = user_cache_path("fim-lsp", appauthor=False) / "derived" / f"{kind}-{key[:20]}"
    if not anew and _is_complete(target, key):
        return target
    logger.info("preparing %s for %s, once", bundle.manifest.name, kind)
    try:
        with building(target) as folder:
            build(folder)
            _write_receipt(folder, key)
        return target
    except OSError as error:
        logger.warning("%s cannot be written (%s); using a temporary folder", target, error)
    folder = Path(tempfile.mkdtemp(prefix="fim-lsp-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    build(folder)
    return folder


def _key(bundle: ModelBundle, kind: str, version: str) -> str:
    manifest = bundle.manifest
    facts = {
        "layout": _LAYOUT_VERSION,
        "kind": kind,
        "version": version,
        "weights": manifest.weights.sha256,
        "architecture": asdict(manifest.architecture),
        "position_embedding": manifest.position_embedding,
        "end": manifest.tokens.end,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != _RECEIPT)


def _write_receipt(folder: Path, key: str) -> None:
    files = {
        path.name: {
            "size": path.stat().st_size,
            "modified_ns": path.stat().st_mtime_ns,
            "sha256": sha256_of(path),
        }
        for path in _files(folder)
    }
    receipt = {"key": key, "files": files}
    (folder / _RECEIPT).write_text(json.dumps(receipt), encoding="utf-8")


def _is_complete(folder: Path, key: str) -> bool:
    """Whether the files are those of the receipt; read only where one was touched since."""
    try:
        receipt = json.loads((folder / _RECEIPT).read_text(encoding="utf-8"))
        files, noted = _files(folder), receipt["files"]
        if receipt["key"] != key or {path.name for path in files} != set(noted):
            return False
        touched = [
            path for path in files if path.stat().st_mtime_ns != noted[path.name]["modified_ns"]
        ]
        if any(path.stat().st_size != noted[path.name]["size"] for path in files):
            return False
        if any(sha256_of(path) != noted[path.name]["sha256"] for path in touched):
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if touched:  # a copied or restored cache is whole, and need not be read at every start
        with suppress(OSError):
            _write_receipt(folder, key)
    return True
