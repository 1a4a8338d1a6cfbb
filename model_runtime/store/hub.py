"""Downloads a model's folder from the Hugging Face hub: the only code here that uses the network.

Files go to the user's cache, are resumed after an interruption, checked against the hub's hashes,
and removed when the caller has made a bundle of them.  Only data is fetched, never code.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from model_runtime.errors import ConversionError
from model_runtime.files import sha256_of
from model_runtime.progress import OnStep, ignore_step
from model_runtime.telemetry import import_silenced

_TEXTS = (
    "config.json",
    "fim_config.json",
    "tokenizer*.json",
    "*.index.json",
    "README.md",
    "LICENSE*",
)
_SAFETENSORS, _PICKLES = "*.safetensors", "pytorch_model*.bin"


@contextmanager
def fetched(
    repository: str, progress: OnStep = ignore_step, *, endpoint: str | None = None
) -> Iterator[Path]:
    """Downloads a repository and yields its folder, which is removed unless the block fails.

    Args:
        repository: its name on the hub, ORG/NAME.
        progress: called with a sentence at each step; the hub's library draws its own bars.
        endpoint: address of another hub.

    Raises:
        ConversionError: no network, no such repository, no access, or a damaged download.
    """
    target = user_cache_path("fim-lsp", appauthor=False) / "hub" / repository.replace("/", "--")
    info = _ask(repository, endpoint)
    files = [sibling.rfilename for sibling in info.siblings]
    # Pickles are fetched only where there is nothing better; reading them needs the extra `torch`.
    has_safetensors = any(name.endswith(".safetensors") and "/" not in name for name in files)
    weights = _SAFETENSORS if has_safetensors else _PICKLES
    progress(f"fetching {repository} at {info.sha[:10]}")
    with _translated(repository):
        import_silenced("huggingface_hub").snapshot_download(
            repository,
            revision=info.sha,
            local_dir=target,
            allow_patterns=[*_TEXTS, weights],
            ignore_patterns=["*/*"],  # subfolders hold other formats, or training states
            endpoint=endpoint,
        )
    _check_hashes(target, info, progress)
    yield target
    shutil.rmtree(target, ignore_errors=True)


def _ask(repository: str, endpoint: str | None) -> Any:
    with _translated(repository):
        api = import_silenced("huggingface_hub").HfApi(endpoint=endpoint)
        return api.model_info(repository, files_metadata=True)


@contextmanager
def _translated(repository: str) -> Iterator[None]:
    """Raises errors of the hub's library, and of HTTP libraries below it, in our words."""
    errors = import_silenced("huggingface_hub.errors")
    try:
        yield
    except errors.GatedRepoError as error:
        raise ConversionError(
            f"{repository} wants its terms accepted first; do that on its page, then: hf auth login"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ConversionError(
            f"the hub has no model {repository}, or it is private; check the spelling"
        ) from error
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ConversionError(
            f"{repository} cannot be fetched ({reason}); connect to the network and run the same "
            "command again, which goes on where this one ended, or add a folder by its path"
        ) from error


def _check_hashes(folder: Path, info: Any, progress: OnStep) -> None:
    for sibling in info.siblings:
        path = folder / sibling.rfilename
        if sibling.lfs is None or not path.is_file():
            continue
        progress(f"checking {sibling.rfilename}")
        if sha256_of(path) != sibling.lfs.sha256:
            path.unlink()
            raise ConversionError(f"{path} was damaged on its way and is removed; run this again")
