"""Stand-in until the catalogue lands."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PublishedScore:
    benchmark: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    name: str
    family: str = ""
    parameters: int = 0
    license: str = ""
    license_url: str = ""
    is_permissive: bool = True
    languages: str = ""
    repository: str = ""
    file: str = ""
    revision: str = ""
    sha256: str = ""
    download_bytes: int = 0
    prompt_format: str = ""
    context_length: int = 0
    layers: int = 0
    hidden: int = 0
    kv_width: int = 0
    vocabulary: int = 0
    is_tied: bool = True
    scores: tuple[PublishedScore, ...] = ()
    quality: float = 0.0


def catalogue() -> tuple[CatalogueModel, ...]:
    path = os.environ.get("FIM_LSP_CATALOGUE")
    if not path:
        return ()
    names = {one.name for one in fields(CatalogueModel)}
    rows = json.loads(Path(path).read_text("utf-8"))
    rows = rows["models"] if isinstance(rows, dict) else rows
    return tuple(CatalogueModel(**{k: v for k, v in row.items() if k in names}) for row in rows)


def find_model(name: str) -> CatalogueModel | None:
    return next((model for model in catalogue() if model.name == name), None)
