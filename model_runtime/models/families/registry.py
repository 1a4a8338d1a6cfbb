"""All families, found by what a config.json or a manifest calls them."""

from __future__ import annotations

from model_runtime.models.families.family import Family
from model_runtime.models.families.gemma import GEMMA, GEMMA2
from model_runtime.models.families.granite import GRANITE, GRANITE_HYBRID
from model_runtime.models.families.llama import LLAMA, MISTRAL
from model_runtime.models.families.neox import NEOX
from model_runtime.models.families.qwen2 import QWEN2, QWEN3
from model_runtime.models.families.stablelm import STABLELM
from model_runtime.models.families.starcoder2 import STARCODER2

FAMILIES: tuple[Family, ...] = (
    NEOX,
    LLAMA,
    MISTRAL,
    QWEN2,
    QWEN3,
    STARCODER2,
    STABLELM,
    GRANITE,
    GRANITE_HYBRID,
    GEMMA,
    GEMMA2,
)


def by_model_type(model_type: object) -> Family | None:
    """Returns the family whose config.json has this `model_type`."""
    return next((family for family in FAMILIES if model_type in family.model_types), None)


def by_name(name: str) -> Family | None:
    """Returns the family of this name, as manifests state it."""
    return next((family for family in FAMILIES if family.name == name), None)


def known_model_types() -> str:
    """Returns every `model_type` that can be imported, for a message."""
    return ", ".join(sorted(one for family in FAMILIES for one in family.model_types))
