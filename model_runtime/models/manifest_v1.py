"""Manifests of format 1, as models have them that were trained before format 2: read as if of that.

Format 1 knew GPT-NeoX alone, and its weights file keeps the names and the row orders of GPT-NeoX
checkpoints.  It stated one of three orders of a prompt's parts in place of a template.
"""

# Annotations are evaluated here: cattrs drops the ranges of those that are only text.

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from model_runtime.models import schema
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.limits import Between
from model_runtime.models.positions import Alibi, Rope
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.orders import FimTokens, Order

FAMILY = "gpt_neox"

_ACTIVATIONS: dict[str, Any] = {"gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}


@dataclass(frozen=True, slots=True)
class _Architecture:
    """The entry that described the network."""

    layers: Annotated[int, Between(1, 1024)]
    hidden: Annotated[int, Between(1, 2**16)]
    heads: Annotated[int, Between(1, 2**16)]
    vocab: Annotated[int, Between(1, 2**22)]
    intermediate: Annotated[int, Between(1, 2**19)]
    activation: Literal["gelu", "gelu_pytorch_tanh", "relu"]
    parallel_residual: bool
    norm_epsilon: Annotated[float, Between(1e-20, 1)]
    rotary_dim: Annotated[int, Between(0, 2**16)]
    """Leading dimensions of each head that are rotated; 0 with ALiBi."""
    rotary_base: Annotated[float, Between(1, 1e12)]
    tied: bool


@dataclass(frozen=True, slots=True)
class _Network:
    """The entries of a manifest that say how its network is built."""

    architecture: _Architecture
    position_embedding: Literal["rotary", "alibi"]


@dataclass(frozen=True, slots=True)
class _Prompt:
    """The entries of a manifest that say how prompts are written."""

    order: Order
    tokens: FimTokens
    hole_start: HoleStart = HoleStart.CURSOR


def upgraded(raw: dict[str, Any]) -> dict[str, Any]:
    """Returns the entries of a manifest of format 1 as format 2 has them.

    Raises:
        schema.Problems: the network or the order cannot be read.
    """
    rest = dict(raw)
    network = schema.read(_taken(rest, "architecture", "position_embedding"), _Network)
    prompt = schema.read(_taken(rest, "order", "tokens", "hole_start"), _Prompt)
    if isinstance(weights := rest.get("weights"), dict):
        rest["weights"] = {**weights, "family": FAMILY}
    form = PromptFormat.of_order(prompt.order, prompt.tokens, prompt.hole_start)
    return {**rest, "decoder": schema.write(_decoder(network)), "prompt": form.to_json()}


def _taken(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    """Takes entries out of a manifest."""
    return {name: raw.pop(name) for name in names if name in raw}


def _decoder(network: _Network) -> DecoderSpec:
    a = network.architecture
    if a.hidden % a.heads:
        problem = f"hidden {a.hidden} is no multiple of heads {a.heads}"
        raise schema.Problems([f"architecture: {problem}"])
    positions: Rope | Alibi | None = Alibi()
    if network.position_embedding == "rotary":
        positions = Rope(dim=a.rotary_dim, base=a.rotary_base) if a.rotary_dim else None
    return DecoderSpec(
        layers=a.layers,
        hidden=a.hidden,
        vocab=a.vocab,
        intermediate=a.intermediate,
        heads=a.heads,
        kv_heads=a.heads,
        head_dim=a.hidden // a.heads,
        norm="layer",
        norm_epsilon=a.norm_epsilon,
        residual="parallel" if a.parallel_residual else "sequential",
        mlp="plain",
        activation=_ACTIVATIONS[a.activation],
        biases=frozenset({"qkv", "attention_out", "mlp", "norm"}),
        positions=positions,
        tied=a.tied,
    )
