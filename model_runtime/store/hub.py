"""Asks the Hugging Face hub for a repository: its files, their hashes, its license.

Together with `download` the only code here that uses the network; HF_ENDPOINT names another hub.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime.errors import ConversionError, ModelRuntimeError
from model_runtime.files import sha256_of
from model_runtime.telemetry import import_silenced

_PLAIN_NAME = re.compile(r"\w[\w.+-]*")


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository."""

    name: str
    size: int
    """Bytes."""
    digest: str
    """SHA-256 of a large file, Git's SHA-1 of a small one; hex."""
    url: str

    def is_content(self, path: Path) -> bool:
        """Tells whether a file on this machine has this content."""
        if path.stat().st_size != self.size:
            return False
        if len(self.digest) == 64:
            return sha256_of(path) == self.digest
        header = f"blob {self.size}\0".encode()
        return hashlib.sha1(header + path.read_bytes()).hexdigest() == self.digest


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the hub at one commit."""

    name: str
    revision: str
    """Commit, 40 hex digits."""
    license: str
    """License as the repository's card spells it; "unknown" where it has none."""
    files: tuple[HubFile, ...]
    """Files of its top folder; those of subfolders are other formats, or states of a training."""


def repository(name: str, revision: str = "") -> Repository:
    """Asks the hub for a repository.

    Args:
        name: ORG/NAME.
        revision: commit, branch or tag; empty for the newest.

    Raises:
        ConversionError: no network, no such repository or revision, or no access.
    """
    endpoint = os.environ.get("HF_ENDPOINT") or None
    hub = import_silenced("huggingface_hub")
    with translated(name):
        info = hub.HfApi(endpoint=endpoint).model_info(
            name, revision=revision or None, files_metadata=True
        )
    card = info.card_data.to_dict() if info.card_data else {}
    license = card.get("license_name") if card.get("license") == "other" else card.get("license")
    files = []
    for sibling in info.siblings or ():
        digest = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
        if not _PLAIN_NAME.fullmatch(sibling.rfilename) or sibling.size is None or not digest:
            continue
        url = hub.hf_hub_url(name, sibling.rfilename, revision=info.sha, endpoint=endpoint)
        files.append(HubFile(sibling.rfilename, sibling.size, digest, url))
    return Repository(name, info.sha, str(license or "unknown"), tuple(files))


@contextmanager
def translated(repository: str) -> Iterator[None]:
    """Raises errors of the hub's library, and of HTTP libraries below it, in our words."""
    errors = import_silenced("huggingface_hub.errors")
    try:
        yield
    except ModelRuntimeError:
        raise
    except errors.GatedRepoError as error:
        raise ConversionError(
            f"{repository} wants its terms accepted first; do that on its page, then: hf auth login"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ConversionError(
            f"{repository} has no such revision; check its spelling, or leave it out for the newest"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ConversionError(
            f"the hub has no model {repository}, or it is private; check the spelling"
        ) from error
    except Exception as error:
        raise ConversionError(
            f"{repository} cannot be fetched ({_reason(error)}); connect to the network and run "
            "the same command again, which goes on where this one ended, or add a folder by its "
            "path"
        ) from error


def _reason(error: Any) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
