"""The ways to tell positions apart: rotated heads (RoPE), stretched or not, and ALiBi."""

# Annotations are evaluated here: cattrs drops the ranges of those that are only text.

import math
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from model_runtime.models.limits import MAX_CONTEXT, Between


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearScaling:
    """Positions divided by a factor (Chen et al. 2023, arXiv:2306.15595)."""

    factor: Annotated[float, Between(1, 1024)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Llama3Scaling:
    """Slow frequencies divided by a factor, fast ones kept, a ramp between (Llama 3.1)."""

    factor: Annotated[float, Between(1, 1024)]
    low_frequency_factor: Annotated[float, Between(1e-3, 1024)]
    """Rotations within the original context up to which a frequency is divided."""
    high_frequency_factor: Annotated[float, Between(1e-3, 1024)]
    """Rotations within the original context from which a frequency is kept."""
    original_context: Annotated[int, Between(1, MAX_CONTEXT)]
    """Tokens of the contexts that the model was first trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YarnScaling:
    """A ramp by number of rotations, and larger scores (Peng et al. 2023, arXiv:2309.00071)."""

    factor: Annotated[float, Between(1, 1024)]
    original_context: Annotated[int, Between(1, MAX_CONTEXT)]
    """Tokens of the contexts that the model was first trained on."""
    beta_fast: Annotated[float, Between(1e-3, 1e6)] = 32.0
    """Rotations within the original context from which a frequency is kept."""
    beta_slow: Annotated[float, Between(1e-3, 1e6)] = 1.0
    """Rotations within the original context up to which a frequency is divided."""
    attention_factor: Annotated[float, Between(1e-3, 1024)] = 1.0
    """Multiplier of the rotated queries and keys."""


Scaling: TypeAlias = LinearScaling | Llama3Scaling | YarnScaling


@dataclass(frozen=True, slots=True, kw_only=True)
class Rope:
    """Rotary embedding of the leading part of each head (Su et al. 2021, arXiv:2104.09864).

    The first half of the rotated part turns against the second, as in GPT-NeoX and Llama of Hugging
    Face; checkpoints that turn neighbors against each other are reordered when they are imported.
    """

    dim: Annotated[int, Between(2, 2**16)]
    """Leading dimensions of each head that are rotated."""
    base: Annotated[float, Between(1, 1e12)] = 10000.0
    """Base of the geometric series of wavelengths."""
    scaling: Scaling | None = None
    """Change of the frequencies for contexts longer than the original one."""

    def frequencies(self) -> list[float]:
        """Returns radians per token for each of the `dim / 2` pairs.

        >>> Rope(dim=4, base=100.0).frequencies()
        [1.0, 0.1]
        """
        plain = [self.base ** -(pair / self.dim) for pair in range(0, self.dim, 2)]
        if self.scaling is None:
            return plain
        if isinstance(self.scaling, LinearScaling):
            return [frequency / self.scaling.factor for frequency in plain]
        if isinstance(self.scaling, Llama3Scaling):
            return [_llama3(frequency, self.scaling) for frequency in plain]
        return self._yarn(plain, self.scaling)

    @property
    def magnitude(self) -> float:
        """Multiplier of all cosines and sines; 1 unless YaRN sets it."""
        return self.scaling.attention_factor if isinstance(self.scaling, YarnScaling) else 1.0

    def _yarn(self, plain: list[float], scaling: YarnScaling) -> list[float]:
        def pair_with(rotations: float) -> float:
            wavelength = scaling.original_context / rotations
            return self.dim * math.log(wavelength / (2 * math.pi)) / (2 * math.log(self.base))

        low = max(math.floor(pair_with(scaling.beta_fast)), 0)
        high = min(math.ceil(pair_with(scaling.beta_slow)), self.dim - 1)
        width = max(high - low, 0.001)
        divided = [min(max((pair - low) / width, 0.0), 1.0) for pair in range(len(plain))]
        return [
            frequency * (1 - share) + frequency / scaling.factor * share
            for frequency, share in zip(plain, divided, strict=True)
        ]


def _llama3(frequency: float, scaling: Llama3Scaling) -> float:
    rotations = scaling.original_context * frequency / (2 * math.pi)
    low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
    kept = min(max((rotations - low) / (high - low), 0.0), 1.0)
    return frequency * kept + frequency / scaling.factor * (1 - kept)


@dataclass(frozen=True, slots=True)
class Alibi:
    """Scores fall with distance, each head's by a slope of its own (arXiv:2108.12409)."""


Positions: TypeAlias = Rope | Alibi


def alibi_slopes(heads: int) -> list[float]:
    """Returns what one token of distance takes off an attention score, for each head.

    The slopes are a geometric series; where the number of heads is no power of two, every other
    slope of the next series is added (Press et al. 2021, arXiv:2108.12409, and its reference code).

    >>> alibi_slopes(4)
    [0.25, 0.0625, 0.015625, 0.00390625]
    """
    power = 2 ** (heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (number + 1) / power) for number in range(power)]
    finer = [2.0 ** (-4.0 * (number + 1) / power) for number in range(0, 2 * power, 2)]
    return slopes + finer[: heads - power]
