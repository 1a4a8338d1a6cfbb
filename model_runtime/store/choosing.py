"""Chooses what to fetch of a repository: one .gguf file, or the folder of a transformers model."""

from __future__ import annotations

from fnmatch import fnmatch

from model_runtime.errors import ConversionError
from model_runtime.importers import pickles
from model_runtime.store.hub import HubFile, Repository
from model_runtime.store.sources import GGUF

_TEXTS = (
    "config.json",
    "fim_config.json",
    "tokenizer*.json",
    "*.index.json",
    "README.md",
    "LICENSE*",
)
_SAFETENSORS, _PICKLES = "*.safetensors", "pytorch_model*.bin"

_QUANTIZATIONS = ("q4_k_m", "q5_k_m", "q4_k_s", "q5_0", "q4_0", "q6_k", "q8_0", "f16", "bf16")
"""Kinds of GGUF files, the one to take first: below four bits completions get visibly worse, above
them the bundle's own eight bits gain next to nothing."""
_NO_MODELS = ("mmproj*", "*-of-*", "*imatrix*")
"""Names of .gguf files that hold parts of a model, or something else."""


def wanted_files(repository: Repository, file: str = "") -> tuple[HubFile, ...]:
    """Returns the files to fetch.

    Args:
        repository: as the hub describes it.
        file: a .gguf file that was asked for; empty where the repository decides.

    Raises:
        ConversionError: it has no such file, or nothing that a model can be made of here.
    """
    by_name = {found.name: found for found in repository.files}
    if file:
        if file not in by_name:
            raise ConversionError(
                f"{repository.name} has no file {file}; it has {_listed(_gguf_names(repository))}"
            )
        return (by_name[file],)
    safetensors, bin_files = (
        [name for name in by_name if fnmatch(name, pattern)] for pattern in (_SAFETENSORS, _PICKLES)
    )
    if "config.json" not in by_name or not (safetensors or bin_files):
        return (by_name[_best_gguf(repository)],)
    if not safetensors and not pickles.can_be_read():
        raise ConversionError(
            f"{repository.name} has its weights as PyTorch files only, and reading them needs the "
            "extra torch: pip install 'fim-lsp[torch]'"
        )
    texts = [name for name in by_name if any(fnmatch(name, pattern) for pattern in _TEXTS)]
    return tuple(by_name[name] for name in (*texts, *(safetensors or bin_files)))


def without_weights(files: tuple[HubFile, ...]) -> tuple[HubFile, ...]:
    """Returns the files of a folder that are no weights; a .gguf file holds all, and stays."""
    patterns = (_SAFETENSORS, _PICKLES, "*.index.json")
    return tuple(one for one in files if not any(fnmatch(one.name, it) for it in patterns))


def _best_gguf(repository: Repository) -> str:
    names = _gguf_names(repository)
    for kind in _QUANTIZATIONS:
        for name in names:
            if name.lower().endswith((f"-{kind}{GGUF}", f".{kind}{GGUF}", f"_{kind}{GGUF}")):
                return name
    if len(names) == 1:
        return names[0]
    if not names:
        raise ConversionError(
            f"{repository.name} has neither config.json with weights nor a .gguf file of a whole "
            "model; choose another repository"
        )
    raise ConversionError(
        f"{repository.name} has {_listed(names)}; name one: {repository.name}/FILE"
    )


def _gguf_names(repository: Repository) -> list[str]:
    return [
        file.name
        for file in repository.files
        if file.name.lower().endswith(GGUF)
        and not any(fnmatch(file.name.lower(), pattern) for pattern in _NO_MODELS)
    ]


def _listed(names: list[str]) -> str:
    if len(names) > 8:
        return f"{', '.join(names[:8])} and {len(names) - 8} others"
    return ", ".join(names) or "no .gguf file"
