"""The decoders that the ONNX graph of `folder` computes; this module imports no ONNX Runtime."""

from __future__ import annotations

from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.positions import Alibi


def supports(spec: DecoderSpec) -> str:
    """Returns why the engine cannot run a decoder, as a part of a sentence; "" where it can."""
    if spec.windows and isinstance(spec.positions, Alibi):
        return "ONNX Runtime's attention takes no sliding windows together with ALiBi"
    return ""
