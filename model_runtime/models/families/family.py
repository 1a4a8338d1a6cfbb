"""The parts of a family: its names, its decoder, and where each canonical tensor is from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.families.settings import Settings

if TYPE_CHECKING:
    from model_runtime.models.weights import Array


@dataclass(frozen=True, slots=True)
class Recipe:
    """Says how a canonical tensor is made of a checkpoint's; the functions below make recipes."""

    sources: tuple[str, ...]
    """Names in the checkpoint."""
    sizes: tuple[int, ...] = ()
    """Rows of each source, where they are not those of the tensor."""
    rows: Sequence[int] | None = None
    """The source's row for each row of the tensor; None keeps their order."""
    adds_one: bool = False
    is_optional: bool = False
    """Whether a checkpoint may lack it, which stands for zeros."""

    def made(self, parts: Sequence[Array]) -> Array:
        """Returns the tensor (or its rows' scales) made of the sources' (or of theirs)."""
        import numpy as np

        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if self.rows is not None:
            whole = whole[np.asarray(self.rows)]
        return whole + np.float32(1) if self.adds_one else whole


def as_it_is(name: str, *, is_optional: bool = False) -> Recipe:
    """Returns the recipe of a tensor that is one of the checkpoint's."""
    return Recipe((name,), is_optional=is_optional)


def rows_joined(sizes: Mapping[str, int]) -> Recipe:
    """Returns the recipe that joins the rows of several tensors; `sizes` has the number of each."""
    return Recipe(tuple(sizes), tuple(sizes.values()))


def rows_permuted(name: str, rows: Sequence[int], *, is_optional: bool = False) -> Recipe:
    """Returns the recipe of reordered rows; `rows` has the checkpoint's row for each of ours."""
    return Recipe((name,), rows=rows, is_optional=is_optional)


def rows_taken(name: str, rows: Sequence[int], *, of: int) -> Recipe:
    """Returns the recipe of some rows of a tensor that has `of` rows."""
    return Recipe((name,), (of,), rows)


def plus_one(name: str) -> Recipe:
    """Returns the recipe of a norm's weights that the checkpoint stores less one."""
    return Recipe((name,), adds_one=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of checkpoint."""

    name: str
    """Name in messages, and in manifests whose weights keep a checkpoint's names."""
    model_types: tuple[str, ...]
    """Values of `model_type` in config.json."""
    gguf_architecture: str
    """Value of `general.architecture` in GGUF files; empty where llama.cpp has none."""
    max_positions: int
    """Positions where config.json does not say `max_position_embeddings`."""
    spec: Callable[[Settings], DecoderSpec]
    """Reads config.json; raises as `Settings` does."""
    tensors: Callable[[DecoderSpec], Mapping[str, Recipe]]
    """Canonical name -> where the tensor is from, for every one that the decoder has."""
    aliases: Mapping[str, str]
    """Other name of a tensor in some checkpoints -> the name in the recipes."""
    buffers: str
    """Regular expression of tensors that some checkpoints carry and nobody needs."""
