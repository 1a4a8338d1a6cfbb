"""PyTorch's .bin weights -> safetensors, for folders that hold nothing better.

A .bin file is a pickle, and unpickling can run any code.  So it is read only by PyTorch's
`weights_only` loader, which builds tensors and refuses everything else; this needs the extra
`torch`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.errors import ConversionError
from model_runtime.models.weights import DTYPES, Array, TensorLayout, write_weights
from model_runtime.progress import OnStep

if TYPE_CHECKING:
    import torch

SINGLE, INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"


def can_be_read() -> bool:
    """Tells whether PyTorch is installed, without importing it."""
    return find_spec("torch") is not None


def rewrite_as_safetensors(source: Path, target: Path, say: OnStep) -> None:
    """Write the float tensors of one .bin file; others (masks of old checkpoints) are left out.

    Raises:
        ConversionError: PyTorch is not installed, or the file holds anything but tensors.
    """
    try:
        import torch
    except ImportError as error:
        raise ConversionError(
            f"{source} is a PyTorch pickle, which is read only with PyTorch's safe loader; "
            "install it with: pip install 'fim-lsp[torch]', or look for a safetensors version"
        ) from error

    say(f"reading {source.name} with PyTorch's weights_only loader")
    try:
        loaded: Any = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # UnpicklingError, RuntimeError, EOFError, and more
        reason = str(error).strip().partition("\n")[0]
        raise ConversionError(
            f"{source} is damaged or holds more than tensors, and is not opened ({reason})"
        ) from error
    if not isinstance(loaded, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in loaded.items()
    ):
        raise ConversionError(f"{source} holds no plain mapping from names to tensors")
    tensors = {name: value for name, value in loaded.items() if value.is_floating_point()}
    layout = {
        name: TensorLayout(DTYPES[_stored_dtype(value)], tuple(value.shape))
        for name, value in tensors.items()
    }
    write_weights(target, layout, _arrays(tensors))


def _stored_dtype(tensor: torch.Tensor) -> str:
    name = str(tensor.dtype).removeprefix("torch.")
    return name if name in ("float16", "bfloat16") else "float32"


def _arrays(tensors: dict[str, torch.Tensor]) -> Iterator[tuple[str, Array]]:
    import numpy as np
    import torch

    for name, tensor in tensors.items():
        if tensor.dtype == torch.bfloat16:
            yield name, tensor.contiguous().view(torch.int16).numpy().view(np.uint16)
        elif tensor.dtype == torch.float16:
            yield name, tensor.contiguous().numpy()
        else:
            yield name, tensor.float().contiguous().numpy()
