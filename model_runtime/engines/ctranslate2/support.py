"""The decoders that CTranslate2 computes; this module imports nothing of CTranslate2."""

from __future__ import annotations

from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.positions import Llama3Scaling, Rope, YarnScaling


def supports(spec: DecoderSpec) -> str:
    """Returns why CTranslate2 cannot run a decoder, as a part of a sentence; "" where it can."""
    missing = {
        "sliding windows": bool(spec.windows),
        "a soft-cap of attention scores": spec.attention_softcap is not None,
        "decoders without positions": spec.positions is None,
        "rotary scaling other than linear": isinstance(spec.positions, Rope)
        and isinstance(spec.positions.scaling, (Llama3Scaling, YarnScaling)),
        "norms behind parallel blocks": spec.post_norms and spec.residual == "parallel",
    }
    found = [name for name, is_needed in missing.items() if is_needed]
    return f"CTranslate2 does not compute {' and '.join(found)}" if found else ""
