"""The weights file of a new bundle, written tensor by tensor under canonical names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.manifest import WeightsFacts
from model_runtime.models.weights import (
    DTYPES,
    SCALE_SUFFIX,
    Array,
    Float32,
    TensorLayout,
    quantise_rows,
    write_weights,
)


def write_bundle_weights(
    path: Path, decoder: DecoderSpec, read: Callable[[str], Float32], dtype: Any
) -> WeightsFacts:
    """Writes every tensor of a decoder: matrices as asked for, vectors as float32.

    Args:
        path: of the new file.
        decoder: says which tensors there are.
        read: returns a tensor by its canonical name.
        dtype: of the matrices: "int8", with a scale for each row, "float16" or "float32".
    """
    layout = {}
    for name, shape in decoder.tensor_shapes().items():
        layout[name] = TensorLayout("F32" if len(shape) == 1 else DTYPES[dtype], shape)
        if dtype == "int8" and len(shape) > 1:
            layout[name + SCALE_SUFFIX] = TensorLayout("F32", shape[:1])
    written = write_weights(path, layout, _stored(decoder, read, dtype))
    return WeightsFacts(written.sha256, written.size, dtype)


def _stored(
    decoder: DecoderSpec, read: Callable[[str], Float32], dtype: str
) -> Iterator[tuple[str, Array]]:
    """Yields the tensors in their order and type in the file."""
    for name, shape in decoder.tensor_shapes().items():
        values = read(name)
        if len(shape) == 1 or dtype == "float32":
            yield name, values.astype(np.float32, copy=False)
        elif dtype == "int8":
            quantised, scale = quantise_rows(values)
            yield name, quantised
            yield name + SCALE_SUFFIX, scale
        else:
            yield name, values.astype(np.float16)
