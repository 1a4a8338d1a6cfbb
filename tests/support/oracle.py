"""GPT-NeoX in plain numpy, without a cache: slow, short, and what every engine is compared with."""

import math
from collections.abc import Sequence

import numpy as np

from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, FINAL_NORM, HEAD, alibi_slopes, layer_prefix

# T = tokens, D = hidden, H = heads, W = width of a head, V = vocabulary


class Oracle:
    """The network of one bundle."""

    def __init__(self, bundle: ModelBundle) -> None:
        self._a = bundle.manifest.architecture
        self._alibi = bundle.manifest.position_embedding == "alibi"
        self._weights = bundle.weights()

    def logprobs(self, ids: Sequence[int]) -> np.ndarray:
        """Natural log of the probability of each next token, float32 [T, V]."""
        x_TD = self._weights[EMBEDDING][np.asarray(ids)]
        for number in range(self._a.layers):
            layer = layer_prefix(number)
            after = x_TD + self._attention(self._norm(x_TD, layer + "input_layernorm"), layer)
            source = x_TD if self._a.parallel_residual else after
            x_TD = after + self._mlp(self._norm(source, layer + "post_attention_layernorm"), layer)
        head = self._weights[EMBEDDING if self._a.tied else HEAD]
        logits = self._norm(x_TD, FINAL_NORM) @ head.T
        shifted = logits - logits.max(-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))

    def next_ids(self, prompt: Sequence[int], answer: Sequence[int]) -> list[int]:
        """The likeliest id at each place of `answer`; the same ids if it was decoded greedily."""
        logprobs = self.logprobs([*prompt, *answer])
        return logprobs[len(prompt) - 1 : -1].argmax(-1).tolist()

    def _affine(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self._a.norm_epsilon)
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]

    def _attention(self, x_TD: np.ndarray, layer: str) -> np.ndarray:
        length, heads, width = len(x_TD), self._a.heads, self._a.head_dim
        qkv = self._affine(x_TD, layer + "attention.query_key_value")
        q_HTW, k_HTW, v_HTW = qkv.reshape(length, heads, 3, width).transpose(2, 1, 0, 3)
        scores = self._rotate(q_HTW) @ self._rotate(k_HTW).swapaxes(1, 2) / math.sqrt(width)
        query, key = np.arange(length)[:, None], np.arange(length)[None, :]
        if self._alibi:
            slopes = np.array(alibi_slopes(heads), np.float32)[:, None, None]
            scores = scores + slopes * (key - query)
        scores = np.where(key <= query, scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed_HTW = scores / scores.sum(-1, keepdims=True) @ v_HTW
        flat = mixed_HTW.transpose(1, 0, 2).reshape(length, self._a.hidden).astype(np.float32)
        return self._affine(flat, layer + "attention.dense")

    def _rotate(self, x_HTW: np.ndarray) -> np.ndarray:
        rotated = self._a.rotary_dim
        half = rotated // 2
        if not half:
            return x_HTW
        frequencies = self._a.rotary_base ** (-np.arange(half) * 2.0 / rotated)
        angles = np.outer(np.arange(x_HTW.shape[1]), frequencies)
        cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        a, b, rest = x_HTW[..., :half], x_HTW[..., half:rotated], x_HTW[..., rotated:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin, rest], -1)

    def _mlp(self, x: np.ndarray, layer: str) -> np.ndarray:
        inner = self._affine(x, layer + "mlp.dense_h_to_4h")
        return self._affine(_ACTIVATIONS[self._a.activation](inner), layer + "mlp.dense_4h_to_h")


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + _erf(x / math.sqrt(2)))


def _erf(x: np.ndarray) -> np.ndarray:
    """To 1.5e-7; Abramowitz and Stegun 1964, formula 7.1.26.  Python's own takes numbers only."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    terms = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    series = sum(factor * t ** (power + 1) for power, factor in enumerate(terms))
    return np.sign(x) * (1 - series * np.exp(-(x**2)))


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


_ACTIVATIONS = {
    "gelu": _gelu,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": lambda x: np.maximum(x, 0),
}
