"""Times products of the engine's own kinds, in blocks of 8 bits and by rows, without a model.

The products are a chain, as in the feed-forward parts of a small model, and larger than most
processors' caches: so the weights come from memory, as those of a large model do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from model_runtime.engines.onnx.block_quantization import Blocks
from model_runtime.engines.onnx.file import CONTRIB, OnnxFile, model_path
from model_runtime.engines.onnx.overflow import overflows
from model_runtime.engines.onnx.row_products import RowProducts
from model_runtime.engines.onnx.session import open_session
from model_runtime.files import working_folder
from model_runtime.models.tensors import Int8Matrix

_HIDDEN, _INNER, _PRODUCTS = 1024, 8192, 24
_BLOCKS = Blocks(8, 128)
_WriteProduct = Callable[[str, str, tuple[int, int], list[str]], str]
_GRAPH = "products"
_ACCURACY_LEVEL = 4
"""Accuracy level of the engine's own products."""

WEIGHTS = _HIDDEN * _INNER * _PRODUCTS
"""Weights that all products of the chain have together; each is a byte, less its block's scale."""


class ProductProbe:
    """The chain of products, loaded by ONNX Runtime; it belongs to one thread."""

    def __init__(self, threads: int, *, by_rows: bool = False) -> None:
        """Writes the chain to a folder in the cache and loads it.

        Args:
            threads: threads that share each product.
            by_rows: takes the form with a scale for a row in place of blocks.

        Raises:
            EngineUnavailable: ONNX Runtime cannot load it here.
            OSError: the cache folder cannot be written.
        """
        # Windows removes no file that is mapped; the next one who works here sweeps what stays.
        with working_folder(user_cache_path("fim-lsp", appauthor=False), "probe") as folder:
            _write(folder, by_rows=by_rows)
            self._session: Any = open_session(model_path(folder, _GRAPH), threads)
            self._session.run(None, {"x": np.ones((1, _HIDDEN), np.float32)})

    def seconds(self, rows: int) -> float:
        """Returns how long the chain takes once.

        Args:
            rows: ids that are run at once; 1 as while decoding.
        """
        x = np.ones((rows, _HIDDEN), np.float32)
        started = time.perf_counter()
        self._session.run(None, {"x": x})
        return time.perf_counter() - started


def _write(folder: Path, *, by_rows: bool) -> None:
    with OnnxFile(folder, _GRAPH) as file:
        x = file.input("x", "float32", ["rows", _HIDDEN])
        product = _by_rows(file) if by_rows else _in_blocks(file)
        for number in range(_PRODUCTS):
            shape = (_INNER, _HIDDEN) if number % 2 == 0 else (_HIDDEN, _INNER)
            x = product(x, f"weights{number}", shape, ["y"] if number == _PRODUCTS - 1 else [])
        file.output("y", "float32", ["rows", _HIDDEN])


# Any numbers take the same time, as long as none becomes too small for a normal one.


def _in_blocks(file: OnnxFile) -> _WriteProduct:
    def product(x: str, name: str, shape: tuple[int, int], outputs: list[str]) -> str:
        rows, columns = shape
        blocks = columns // _BLOCKS.size
        stored = np.full((rows, blocks, _BLOCKS.size), 129, np.uint8)
        scales = np.full(rows * blocks, columns**-0.5, np.float32)
        return file.node(
            "MatMulNBits",
            [x, file.constant(name, stored), file.constant(f"{name}.scales", scales)],
            outputs,
            domain=CONTRIB,
            N=rows,
            K=columns,
            bits=_BLOCKS.bits,
            block_size=_BLOCKS.size,
            accuracy_level=_ACCURACY_LEVEL,
        )

    return product


class _Ones(dict[str, tuple[int, int]]):
    """Matrices of one number, by their shapes [rows, columns]."""

    def int8(self, name: str) -> Int8Matrix:
        rows, columns = self[name]
        scale = np.full(rows, columns**-0.5, np.float32)
        return Int8Matrix(np.ones((rows, columns), np.int8), scale)


def _by_rows(file: OnnxFile) -> _WriteProduct:
    shapes = _Ones()
    products = RowProducts(shapes, file, is_signed=not overflows())

    def product(x: str, name: str, shape: tuple[int, int], outputs: list[str]) -> str:
        shapes[name] = shape
        return products.product(x, name, outputs)

    return product
