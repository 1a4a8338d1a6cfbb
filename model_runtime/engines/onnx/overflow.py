"""Tells whether this processor's products of unsigned and signed 8-bit numbers overflow.

Where a processor has no instruction for them, as x86 before VNNI, ONNX Runtime adds two products in
16 bits; those of large numbers do not fit, and the sum is cut off.
"""

from __future__ import annotations

import numpy as np
from platformdirs import user_cache_path

from model_runtime.engines.onnx.file import OnnxFile, model_path
from model_runtime.engines.onnx.session import open_session
from model_runtime.files import working_folder

_COUNT = 64
_INPUT, _WEIGHT = 255, 127
"""The largest numbers."""


def overflows() -> bool:
    """Multiplies the largest numbers.

    Raises:
        EngineUnavailable: ONNX Runtime cannot load the product here.
        OSError: the cache cannot be written.
    """
    with working_folder(user_cache_path("fim-lsp", appauthor=False), "overflow") as folder:
        with OnnxFile(folder, "product") as file:
            x = file.input("x", "uint8", ["rows", _COUNT])
            weights = file.constant("weights", np.full((_COUNT, 1), _WEIGHT, np.int8))
            file.node("MatMulInteger", [x, weights], ["y"])
            file.output("y", "int32", ["rows", 1])
        session = open_session(model_path(folder, "product"), 1)
        (found,) = session.run(None, {"x": np.full((_COUNT, _COUNT), _INPUT, np.uint8)})
        del session  # Windows removes no file that is open
    return bool((found != _INPUT * _WEIGHT * _COUNT).any())
