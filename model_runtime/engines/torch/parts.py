"""Matrices and norms of a bundle on a device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.tensors import BundleTensors

Norm = Callable[[torch.Tensor], torch.Tensor]

_FUSED_ROWS = 16
"""Rows above which int8 matrices are widened first: one product, well used, is faster."""


class Loader:
    """Makes the parts of a network from a bundle's tensors, by their canonical names."""

    def __init__(
        self,
        tensors: BundleTensors,
        spec: DecoderSpec,
        device: torch.device,
        dtype: torch.dtype,
        is_int8: bool,
    ) -> None:
        self._tensors = tensors
        self._spec = spec
        self._device = device
        self._dtype = dtype
        self._is_int8 = is_int8

    def matrix(self, name: str, bias: str = "") -> Matrix:
        """Loads a matrix, and the bias that is added to products with it."""
        added = self._float(bias) if bias in self._tensors.shapes else None
        if not self._is_int8:
            return Matrix(self._float(name), None, added)
        stored, scale = self._tensors.int8(name)
        return Matrix(
            torch.tensor(stored, device=self._device),
            torch.tensor(scale, device=self._device).reshape(-1).to(self._dtype),
            added,
        )

    def linear(self, name: str) -> Matrix:
        """Loads an affine map; without a bias where the bundle has none."""
        return self.matrix(f"{name}.weight", f"{name}.bias")

    def norm(self, name: str) -> Norm:
        """Loads a norm of the kind that the decoder has."""
        if self._spec.norm == "rms":
            return self.rms_norm(name)
        weight, bias = self._float(f"{name}.weight"), None
        if f"{name}.bias" in self._tensors.shapes:
            bias = self._float(f"{name}.bias")
        epsilon = self._spec.norm_epsilon
        return lambda x: functional.layer_norm(x, weight.shape, weight, bias, epsilon)

    def rms_norm(self, name: str) -> Norm:
        """Loads an RMS norm over the last dimension."""
        weight, epsilon = self._float(f"{name}.weight"), self._spec.norm_epsilon
        return lambda x: functional.rms_norm(x, weight.shape, weight, epsilon)

    def _float(self, name: str) -> torch.Tensor:
        return torch.tensor(self._tensors.float32(name)).to(self._device, self._dtype)


class Matrix:
    """x -> x W^T + b, with W [out, in] in floats, or in int8 with a scale per row."""

    def __init__(
        self, weight: torch.Tensor, scale: torch.Tensor | None, bias: torch.Tensor | None
    ) -> None:
        self.weight, self._scale, self._bias = weight, scale, bias
        self._is_fused = scale is not None and _fuses(scale)

    def rows(self, ids: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Returns the rows of an embedding."""
        picked = self.weight[ids].to(dtype)
        return picked if self._scale is None else picked * self._scale[ids][..., None]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the product with `x`, [..., in], as [..., out]."""
        if self._scale is None:
            return functional.linear(x, self.weight, self._bias)
        flat = x.reshape(-1, x.shape[-1])
        if self._is_fused and len(flat) <= _FUSED_ROWS:  # reads a byte for each weight
            y = torch.ops.aten._weight_int8pack_mm(flat, self.weight, self._scale)
        else:
            y = functional.linear(flat, self.weight.to(x.dtype)) * self._scale
        y = y.view(*x.shape[:-1], -1)
        return y if self._bias is None else y + self._bias


def _fuses(scale: torch.Tensor) -> bool:
    """Whether this PyTorch has a kernel for int8 weights on the device; it is no public one."""
    try:
        x, weight = scale.new_zeros(1, 32), torch.zeros(32, 32, dtype=torch.int8)
        torch.ops.aten._weight_int8pack_mm(x, weight.to(scale.device), scale.new_ones(32))
    except (AttributeError, RuntimeError):
        return False
    return True
