"""Weights on disk: one safetensors file, read and written tensor by tensor, so memory is bounded.

A matrix is stored as float, or as int8 with one float32 scale per row under `<name>.scale`:

    matrix[row, column] = int8[row, column] * scale[row]        symmetric, |int8| <= 127

Reading maps the file, and gives the memory of one tensor's pages back when the next is asked for;
bfloat16, which numpy lacks, is widened by hand.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_runtime.model_files import size_of
from model_runtime.progress import advance

Array = NDArray[Any]
Float32 = NDArray[np.float32]

SCALE_SUFFIX = ".scale"
QUANTISED = "int8"
DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int8": "I8"}
"""Number types: our names, as in manifests, and those of the safetensors format."""

ALL_ROWS = slice(None)

_MAX_HEADER_BYTES = 16 * 2**20
"""Bytes of a header; a model of 1,024 layers, the most that is read, has 2 MB."""
_ROUNDED_NUMBERS = 2**22
"""Numbers that are rounded at a time, which takes several times their memory."""
_NUMPY_TYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I8": np.int8}


class UnreadableWeights(ValueError):
    """The file is not complete, valid safetensors; the message says why, without the path."""


class TensorLayout(NamedTuple):
    """Type and shape of one tensor, as the header of a safetensors file says."""

    dtype: str
    """Number type as the format writes it: F32, BF16, I8, ..."""
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """Identifies a file that was just written."""

    sha256: str
    size: int
    """Bytes."""


class WeightsFile:
    """A safetensors file, mapped into memory."""

    def __init__(self, path: Path) -> None:
        """Opens the file and checks its header.

        Raises:
            UnreadableWeights: it is not a complete, valid safetensors file.
        """
        from safetensors import SafetensorError, safe_open

        try:
            size_of(path)
            with path.open("rb") as file:
                (header_size,) = struct.unpack("<Q", file.read(8))
                if header_size > _MAX_HEADER_BYTES:
                    raise UnreadableWeights(f"its header has {header_size:,} bytes")
                # The library checks that sizes and offsets of the header agree with the file.
                with safe_open(str(path), framework="np"):
                    header = json.loads(file.read(header_size))
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (SafetensorError, OSError, ValueError, struct.error) as error:
            raise UnreadableWeights(str(error)) from error
        header.pop("__metadata__", None)
        self._bytes = np.frombuffer(self._mapped, np.uint8)[8 + header_size :]
        self._spans = {name: tuple(entry["data_offsets"]) for name, entry in header.items()}
        self._unread = dict(self._spans)
        self.layout = {
            name: TensorLayout(entry["dtype"], tuple(entry["shape"]))
            for name, entry in header.items()
        }

    def raw(self, name: str) -> Array:
        """Returns the tensor as it is stored, a view of the file; bfloat16 shows as uint16."""
        dtype, shape = self.layout[name]
        if dtype not in _NUMPY_TYPES:
            raise UnreadableWeights(f"tensor {name} has the unsupported type {dtype}")
        start, end = self._spans[name]
        self._count(name)
        self._let_pages_go()
        flat: Array = self._bytes[start:end].view(_NUMPY_TYPES[dtype])
        return flat.reshape(shape)

    def _let_pages_go(self) -> None:
        """Takes what was read so far out of this process's memory; views read it again."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows, which does so by itself
            self._mapped.madvise(mmap.MADV_DONTNEED)

    def _count(self, name: str) -> None:
        """Reports progress: whoever reads a file is as far as the share that was read."""
        if self._unread.pop(name, None) is not None:
            left = sum(end - start for start, end in self._unread.values())
            advance(1 - left / max(1, len(self._bytes)))

    def bits(self, name: str) -> int:
        """Returns the bits of each number of a tensor."""
        start, end = self._spans[name]
        return 8 * int(end - start) // max(1, math.prod(self.layout[name].shape))

    def float32(self, name: str, rows: slice = ALL_ROWS) -> Float32:
        """Returns the tensor, or some rows of it, as float32: widened, or multiplied by scales."""
        stored = self.raw(name)[rows]
        dtype = self.layout[name].dtype
        if dtype == "I8":
            scale = self.layout.get(name + SCALE_SUFFIX)
            if scale != ("F32", self.layout[name].shape[:1]):
                raise UnreadableWeights(f"tensor {name} is int8 and has no float32 scale per row")
            return dequantise_rows(stored, self.raw(name + SCALE_SUFFIX)[rows])
        if dtype == "BF16":
            bits = stored.astype(np.uint32)
            bits <<= 16
            return bits.view(np.float32)
        return stored.astype(np.float32)


def is_finite(values: Float32) -> bool:
    """Tells whether there is no NaN or infinity, without a second array of that size."""
    # A sum of finite numbers could overflow; the extremes cannot, and NaN is passed on.
    return values.size == 0 or bool(np.isfinite(values.min()) and np.isfinite(values.max()))


def quantise_rows(matrix: Float32) -> tuple[NDArray[np.int8], Float32]:
    """Rounds to symmetric int8: (int8 [rows, columns], one scale a row, float32 [rows]).

    A row of zeros gets the scale 1.
    """
    rounded = np.empty(matrix.shape, np.int8)
    scale = np.empty(len(matrix), np.float32)
    step = max(1, _ROUNDED_NUMBERS // max(1, matrix.shape[1]))
    for start in range(0, len(matrix), step):
        part = matrix[start : start + step]
        largest = np.maximum(part.max(axis=1), -part.min(axis=1))
        scale[start : start + step] = np.where(largest > 0, largest / 127, 1)
        scaled = part / scale[start : start + step, None]
        rounded[start : start + step] = np.rint(scaled, out=scaled)
    return rounded, scale


def dequantise_rows(quantised: Array, scale: Array) -> Float32:
    """Inverts `quantise_rows`, up to rounding."""
    return quantised.astype(np.float32) * scale.astype(np.float32)[:, None]


def write_weights(
    path: Path, layout: Mapping[str, TensorLayout], tensors: Iterable[tuple[str, Array]]
) -> Written:
    """Writes a safetensors file; `tensors` yields (name, array) in the order of `layout`.

    Each array must already have its stored type (bfloat16 as uint16).  Only one is held at a time.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (dtype, shape) in layout.items():
        end = offset + math.prod(shape) * np.dtype(_NUMPY_TYPES[dtype]).itemsize
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)  # the format aligns the data to eight bytes

    digest = hashlib.sha256()
    remaining = iter(layout.items())
    with path.open("wb") as file:
        for block in (struct.pack("<Q", len(encoded)), encoded):
            file.write(block)
            digest.update(block)
        for name, array in tensors:
            expected_name, (dtype, shape) = next(remaining)
            assert (name, array.shape) == (expected_name, shape), (name, array.shape)
            assert array.dtype == _NUMPY_TYPES[dtype], (name, array.dtype)
            data = np.ascontiguousarray(array).data
            file.write(data)
            digest.update(data)
        assert next(remaining, None) is None, "fewer tensors than the layout names"
    return Written(digest.hexdigest(), 8 + len(encoded) + offset)
