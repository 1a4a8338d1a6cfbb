"""Reads a GGUF file: its metadata, and its tensors as float32, however they are quantized."""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from model_runtime.errors import GgufError, shown
from model_runtime.importers.gguf_kinds import part_of_several

if TYPE_CHECKING:
    from model_runtime.models.weights import Float32

MAGIC = b"GGUF"
_MAX_ARRAY = 2**22
"""Entries of the longest array that is read, a vocabulary being the longest that is needed."""

_CHUNK = 2**22
"""Numbers that are dequantized at a time; the library needs several times their memory."""


class GgufFile:
    """One file, mapped into memory; a tensor takes memory only while it is read."""

    def __init__(self, path: Path) -> None:
        """Opens the file.

        Raises:
            GgufError: it is no whole GGUF file, or one part of several.
        """
        from gguf import GGUFEndian, GGUFReader  # takes a tenth of a second

        self.path = path
        try:
            with path.open("rb") as file:
                magic = file.read(len(MAGIC))
            if magic != MAGIC:
                raise GgufError(f"{path} is no GGUF file; it begins with {shown(magic)}")
            self._reader: Any = GGUFReader(path)
        except OSError as error:
            raise GgufError(f"{path} cannot be read ({error})") from error
        except GgufError:
            raise
        except Exception as error:  # the library fails in many ways on bytes that are missing
            raise GgufError(f"{path} is cut off or damaged; download it again") from error
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}
        if self._reader.endianess is not GGUFEndian.LITTLE:
            raise GgufError(
                f"{path} is made for machines that begin a number with its highest byte; get the "
                "usual file of this model"
            )
        if self.metadata("split.count", 1) != 1:
            raise GgufError(f"{path} {part_of_several(path.stem)}")

    def metadata(self, key: str, default: object = None) -> Any:
        """Returns the value of a key, or `default`; arrays are lists."""
        field = self._reader.fields.get(key)
        if field is None:
            return default
        if len(field.data) > _MAX_ARRAY:
            raise GgufError(f"{self.path}: {key} has {len(field.data)} entries; it is damaged")
        try:
            return field.contents()
        except Exception as error:  # text that is no UTF-8, a type that the library does not know
            raise GgufError(f"{self.path}: {key} cannot be read ({error})") from error

    @property
    def keys(self) -> list[str]:
        """Names of all metadata."""
        return list(self._reader.fields)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every tensor, rows first (GGUF itself writes columns first)."""
        return {
            name: tuple(int(size) for size in reversed(tensor.shape))
            for name, tensor in self._tensors.items()
        }

    def type_of(self, name: str) -> str:
        """Returns how a tensor is stored, such as "Q4_K" or "F32"."""
        return str(self._tensors[name].tensor_type.name)

    def bits(self, name: str) -> int:
        """Returns the bits of each number of a tensor, those of scales left out."""
        from gguf import GGML_QUANT_SIZES

        numbers, size = GGML_QUANT_SIZES[self._tensors[name].tensor_type]
        return int(8 * size // numbers)

    def float32(self, name: str, rows: slice = slice(None)) -> Float32:
        """Returns a tensor, or some of its rows, as float32, dequantized where it is quantized.

        Raises:
            GgufError: its kind of quantization is one that cannot be undone here, or the file
                cannot be read.
        """
        import numpy as np
        from gguf import dequantize

        tensor, shape = self._tensors[name], self.shapes[name]
        height, width = (shape[0], shape[1:]) if len(shape) > 1 else (1, shape)
        first, last, _ = rows.indices(height)
        values = np.empty((last - first, math.prod(width)), dtype=np.float32)
        row_bytes = tensor.n_bytes // height
        step = max(1, _CHUNK // max(1, values.shape[1]))
        try:
            with self.path.open("rb") as file:  # what is read of a mapped file stays in memory
                file.seek(tensor.data_offset + first * row_bytes)
                for start in range(0, len(values), step):
                    count = min(step, len(values) - start)
                    stored = np.frombuffer(file.read(count * row_bytes), np.uint8)
                    part = dequantize(stored.reshape(count, row_bytes), tensor.tensor_type)
                    values[start : start + count] = part
        except NotImplementedError as error:
            raise GgufError(
                f"{self.path}: {name} is stored as {self.type_of(name)}, which cannot be read; "
                "use a file in Q4_K_M, Q5_K_M or Q8_0"
            ) from error
        except (OSError, ValueError) as error:
            raise GgufError(f"{self.path}: {name} cannot be read ({error})") from error
        return values.reshape(last - first, *width) if len(shape) > 1 else values[0]

    def __enter__(self) -> GgufFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the mapped memory back."""
        self._tensors.clear()
        del self._reader
