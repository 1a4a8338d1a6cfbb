"""Which decoders the PyTorch network computes; asked before PyTorch is imported."""

from __future__ import annotations

from model_runtime.models.decoder import DecoderSpec


def supports(spec: DecoderSpec) -> str:
    """Returns "": the network computes all that a `DecoderSpec` can say."""
    return ""
