"""Remembers what was measured on this machine, in the user's cache.

    <cache>/fim-lsp/<kind>/<key>.json

The key is a hash of the machine and of all else that the figures depend on, so a change of any of
them is measured again.  The files may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_cache_path

from model_runtime.files import replace_text
from model_runtime.model_files import UnusableFile, read_json

logger = logging.getLogger(__name__)

T = TypeVar("T")


def measurement_file(kind: str, facts: Mapping[str, Any]) -> Path:
    """Returns the file of one measurement.

    Args:
        kind: name of the folder.
        facts: all that the figures depend on; values that JSON has.
    """
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return user_cache_path("fim-lsp", appauthor=False) / kind / f"{key[:20]}.json"


def remembered(path: Path, parse: Callable[[dict[str, Any]], T]) -> T | None:
    """Reads what was measured; None where there is nothing, or nothing that can be believed.

    Args:
        path: as `measurement_file` returns it.
        parse: makes the figures of the JSON; raises KeyError, TypeError, ValueError or
            UnusableFile for something else.
    """
    try:
        return parse(read_json(path))
    except FileNotFoundError:
        return None
    except (OSError, UnusableFile, TypeError, KeyError, ValueError) as error:
        logger.warning("%s is damaged (%s); measuring again", path, error)
        return None


def remember(path: Path, figures: Mapping[str, Any]) -> None:
    """Writes figures; where that is impossible, they are measured again at the next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, json.dumps(figures, indent=1) + "\n")
    except OSError as error:
        logger.warning("%s cannot be written (%s); the next start measures again", path, error)
