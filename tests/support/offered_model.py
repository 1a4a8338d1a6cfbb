"""A catalogue with one model, the hub that has its files, and an environment that knows of both."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from model_runtime.files import sha256_of
from tests.support.fake_hub import FakeHub, serving_all
from tests.support.tracing import ROOT

NAME = "tiny-fim"
REPOSITORY = "acme/tiny-fim"
LICENSE_URL = "https://example.org/license"


@dataclass(frozen=True)
class Offered:
    """All that a test needs to offer a model and to let it be fetched."""

    home: Path
    hub: FakeHub
    catalogue: Path

    @cached_property
    def environment(self) -> dict[str, str]:
        """Environment of a server: nothing in it is the user's own."""
        folders = {
            f"XDG_{name}_HOME": str(self.home / name.lower())
            for name in ("DATA", "CACHE", "STATE", "CONFIG")
        }
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "FIM_LSP_CATALOGUE": str(self.catalogue),
            "HF_ENDPOINT": self.hub.endpoint,
            **folders,
        }

    @property
    def data(self) -> Path:
        """Folder of the models, the choice and the answers."""
        return self.home / "data" / "fim-lsp"

    @property
    def models(self) -> list[str]:
        """Names in the folder of models, hidden ones included."""
        folder = self.data / "models"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@contextmanager
def offered(home: Path, folder: Path, *, is_permissive: bool = True) -> Iterator[Offered]:
    """Offers the model in a folder, for as long as the block lasts.

    Args:
        home: folder for all that the server writes.
        folder: files of the model, as the hub has them.
        is_permissive: whether its license has no conditions.
    """
    home.mkdir(parents=True, exist_ok=True)
    catalogue = home / "catalogue.json"
    catalogue.write_text(json.dumps(table(folder, is_permissive=is_permissive)), "utf-8")
    with serving_all(FakeHub({REPOSITORY: folder})) as hub:
        yield Offered(home, hub, catalogue)


def table(folder: Path, *, is_permissive: bool) -> dict[str, object]:
    """Returns a catalogue with the model in a folder."""
    [file, *_] = [*sorted(folder.glob("*.gguf")), None]
    row = {
        "name": NAME,
        "family": "Tiny",
        "parameters": 10_000_000,
        "license": "apache-2.0" if is_permissive else "tiny-community",
        "license_url": LICENSE_URL,
        "is_permissive": is_permissive,
        "languages": "Python",
        "repository": REPOSITORY,
        "file": file.name if file else "",
        "revision": "",
        "sha256": sha256_of(file) if file else "",
        "download_bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "prompt_format": "",
        "context_length": 1024,
        "layers": 4,
        "hidden": 256,
        "kv_width": 256,
        "vocabulary": 16_384,
        "is_tied": True,
        "scores": [],
        "quality": 50.0,
    }
    return {"format_version": 1, "about": "for tests", "models": [row]}
