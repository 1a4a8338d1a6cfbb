"""Says why a model of another family cannot be added, by what its config.json states."""

from __future__ import annotations

from model_runtime.errors import shown
from model_runtime.models.families import registry
from model_runtime.models.families.settings import ELSEWHERE, Settings

_SIGNS = {
    "an encoder beside the decoder": ("is_encoder_decoder",),
    "a part that reads images or sound": ("vision_config", "audio_config"),
    "layers with a recurrent state": (
        "conv_kernel",
        "linear_conv_kernel_dim",
        "mamba_d_state",
        "mamba_n_heads",
        "rescale_every",
        "ssm_state_size",
        "state_size",
    ),
    "experts": ("moe_intermediate_size", "n_routed_experts", "num_experts", "num_local_experts"),
    "latent attention": ("kv_lora_rank",),
    "learned positions": ("n_positions",),
    "code of its own, which is never run": ("auto_map",),
}
"""Part that no engine here computes -> settings that only models with it have."""


def why_unsupported(settings: Settings) -> str:
    """Returns one sentence, without its beginning, on a model of no known family."""
    classes = settings.get("architectures")
    named = classes[0] if isinstance(classes, list) and classes else "no class"
    parts = [part for part, names in _SIGNS.items() if any(settings.get(name) for name in names)]
    reason = f", which has {' and '.join(parts)}" if parts else ""
    return (
        f"model_type is {shown(settings.get('model_type'))} ({shown(named)}){reason}; "
        f"{ELSEWHERE}, or add one of these types: {registry.known_model_types()}"
    )
