"""The decoders that the PyTorch network computes; this module imports no PyTorch."""

from __future__ import annotations

from model_runtime.models.decoder import DecoderSpec


def supports(spec: DecoderSpec) -> str:
    """Returns "": the network computes all that a `DecoderSpec` can say."""
    return ""
