"""Times products of the engine's own kind, with weights in blocks of 8 bits, without a model.

The products are a chain, as in the feed-forward parts of a small model, and larger than most
processors' caches: so the weights come from memory, as those of a large model do.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from model_runtime.engines.onnx.block_quantization import Blocks
from model_runtime.engines.onnx.file import CONTRIB, OnnxFile, model_path
from model_runtime.engines.onnx.session import open_session
from model_runtime.files import working_folder

_HIDDEN, _INNER, _PRODUCTS = 1024, 8192, 24
_BLOCKS = Blocks(8, 128)
_GRAPH = "products"
_ACCURACY_LEVEL = 4
"""Accuracy level of the engine's own products."""

WEIGHTS = _HIDDEN * _INNER * _PRODUCTS
"""Weights that all products of the chain have together; each is a byte, less its block's scale."""


class ProductProbe:
    """The chain of products, loaded by ONNX Runtime; it belongs to one thread."""

    def __init__(self, threads: int) -> None:
        """Writes the chain to a folder in the cache and loads it.

        Args:
            threads: threads that share each product.

        Raises:
            EngineUnavailable: ONNX Runtime cannot load it here.
            OSError: the cache folder cannot be written.
        """
        # Windows removes no file that is mapped; the next one who works here sweeps what stays.
        with working_folder(user_cache_path("fim-lsp", appauthor=False), "probe") as folder:
            _write(folder)
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


def _write(folder: Path) -> None:
    with OnnxFile(folder, _GRAPH) as file:
        x = file.input("x", "float32", ["rows", _HIDDEN])
        for number in range(_PRODUCTS):
            columns, rows = (_HIDDEN, _INNER) if number % 2 == 0 else (_INNER, _HIDDEN)
            blocks = columns // _BLOCKS.size
            # Any numbers take the same time, as long as none becomes too small for a normal one.
            stored = np.full((rows, blocks, _BLOCKS.size), 129, np.uint8)
            scales = np.full(rows * blocks, columns**-0.5, np.float32)
            weights = file.constant(f"weights{number}", stored)
            x = file.node(
                "MatMulNBits",
                [x, weights, file.constant(f"scales{number}", scales)],
                ["y"] if number == _PRODUCTS - 1 else [],
                domain=CONTRIB,
                N=rows,
                K=columns,
                bits=_BLOCKS.bits,
                block_size=_BLOCKS.size,
                accuracy_level=_ACCURACY_LEVEL,
            )
        file.output("y", "float32", ["rows", _HIDDEN])
