"""Reads files of a model's folder, which may come from anybody: regular, bounded, not linked.

A model is added from known files only.  A link among them is not followed, for it may lead to any
file of the user; but the Hugging Face hub's cache consists of links,

    models--ORG--NAME/snapshots/<commit>/config.json -> ../../blobs/<hash>

and those are followed as far as the blobs of the same model.  To open a bundle that is installed,
links are followed as by any program: package managers link what they install.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from model_runtime.errors import ConversionError

MAX_JSON_BYTES = 4 * 2**20
"""Bytes of settings, a manifest or an index; the index of a model of 100 B weights has a tenth."""
MAX_TOKENIZER_BYTES = 16 * 2**20
"""The GPT-NeoX-20B tokenizer has 2 MB, one with 250,000 ids has 14."""
MAX_TEXT_BYTES = 4 * 2**20
"""Bytes of a model card, a license, or another file for people."""
MAX_JSON_DEPTH = 64


class UnusableFile(ValueError):
    """The file is not what it should be; the message says why, without the path."""


def size_of(path: Path, most: int | None = None) -> int:
    """Returns the bytes of a regular file, links followed; asked before anything is read from it.

    Raises:
        OSError: it is missing or cannot be reached.
        UnusableFile: a device, a pipe or a folder, or larger than `most` bytes.
    """
    try:
        found = path.stat()
    except ValueError as error:  # a null character in the path
        raise FileNotFoundError(str(error)) from error
    if not stat.S_ISREG(found.st_mode):
        raise UnusableFile("it is no regular file")
    if most is not None and found.st_size > most:
        raise UnusableFile(f"it has {found.st_size:,} bytes, and at most {most:,} are read")
    return found.st_size


def read_json(path: Path) -> dict[str, Any]:
    """Returns the JSON object in a file.

    Raises:
        OSError: it is missing or cannot be read.
        UnusableFile: it holds something else, or too much.
    """
    size_of(path, MAX_JSON_BYTES)
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UnusableFile(f"it is not UTF-8 ({error})") from error


def parse_json(text: str) -> dict[str, Any]:
    """Returns a JSON object whose texts can be written again, `MAX_JSON_DEPTH` deep at most.

    Raises:
        UnusableFile: the text is something else.
    """
    try:
        raw = json.loads(text)
        json.dumps(raw, ensure_ascii=False).encode()  # half a surrogate pair cannot be written
    except UnicodeEncodeError as error:
        raise UnusableFile("it has half a character, written as \\u escape") from error
    except ValueError as error:
        raise UnusableFile(f"it is not JSON ({error})") from error
    except RecursionError as error:
        raise UnusableFile("it is nested too deep") from error
    if not isinstance(raw, dict):
        raise UnusableFile("it holds no JSON object")
    level: list[Any] = [raw]
    for _ in range(MAX_JSON_DEPTH):
        inner = [list(one.values() if isinstance(one, dict) else one) for one in level]
        level = [value for one in inner for value in one if isinstance(value, (dict, list))]
    if level:
        raise UnusableFile("it is nested too deep")
    return raw


def source_file(folder: Path, name: str, most: int | None = None) -> Path | None:
    """Returns a file of a folder that a model is added from; None where it has none of this name.

    Raises:
        ConversionError: there is something else in its place, or it is larger than `most` bytes.
    """
    path = folder / name
    try:
        if stat.S_ISLNK(path.lstat().st_mode) and not _is_blob(path):
            raise ConversionError(
                f"{path} is a link, and links are not followed; put the file itself in its place"
            )
        size_of(path, most)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        if isinstance(error, UnusableFile):
            raise ConversionError(f"{path}: {error}; fetch the model again") from error
        return None
    except OSError as error:
        raise ConversionError(f"{path} cannot be reached ({error.strerror})") from error
    return path


def _is_blob(link: Path) -> bool:
    """Tells whether a link leads from a snapshot in the hub's cache to a blob of the same model."""
    snapshot = link.parent.resolve()
    try:
        target = link.resolve()
    except (OSError, RuntimeError):  # links that go round
        return False
    return snapshot.parent.name == "snapshots" and target.parent == (
        snapshot.parent.parent / "blobs"
    )
