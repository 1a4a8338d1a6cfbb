"""A decoder in plain numpy, without a cache: slow, short, and what every engine is compared with."""

import math
from collections.abc import Sequence

import numpy as np

from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, FINAL_NORM, HEAD, DecoderSpec, layer_prefix
from model_runtime.models.positions import Alibi, Rope, alibi_slopes

# T = tokens, D = hidden, H = heads, G = heads of keys and values, W = width of a head, V = vocabulary


class Oracle:
    """The network of one bundle."""

    def __init__(self, bundle: ModelBundle) -> None:
        self._spec: DecoderSpec = bundle.manifest.decoder
        self._weights = bundle.weights()

    def logprobs(self, ids: Sequence[int]) -> np.ndarray:
        """Returns the natural log of the probability of each next token, float32 [T, V]."""
        logits = self.logits(ids)
        shifted = logits - logits.max(-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))

    def next_ids(self, prompt: Sequence[int], answer: Sequence[int]) -> list[int]:
        """Returns the likeliest id at each place of `answer`; the same ids if it is greedy."""
        logprobs = self.logprobs([*prompt, *answer])
        return logprobs[len(prompt) - 1 : -1].argmax(-1).tolist()

    def logits(self, ids: Sequence[int]) -> np.ndarray:
        """Returns what follows each token, float32 [T, V]."""
        spec = self._spec
        x_TD = self._weights[EMBEDDING][np.asarray(ids)] * np.float32(spec.embedding_scale)
        for number in range(spec.layers):
            x_TD = self._layer(x_TD, number)
        head = self._weights[EMBEDDING if spec.tied else HEAD]
        logits = self._norm(x_TD, FINAL_NORM) @ head.T * np.float32(spec.logit_scale)
        return _capped(logits, spec.logit_softcap)

    def _layer(self, x_TD: np.ndarray, number: int) -> np.ndarray:
        spec, layer = self._spec, layer_prefix(number)
        attended = self._attention(self._norm(x_TD, f"{layer}attention_norm"), number)
        if spec.post_norms:
            attended = self._norm(attended, f"{layer}attention_post_norm")
        attended = attended * np.float32(spec.residual_scale)
        source = x_TD if spec.residual == "parallel" else x_TD + attended
        fed = self._mlp(self._norm(source, f"{layer}mlp_norm"), layer)
        if spec.post_norms:
            fed = self._norm(fed, f"{layer}mlp_post_norm")
        return x_TD + attended + fed * np.float32(spec.residual_scale)

    # --- attention ----------------------------------------------------------------------------

    def _attention(self, x_TD: np.ndarray, number: int) -> np.ndarray:
        spec, layer = self._spec, layer_prefix(number)
        length = len(x_TD)
        joined = self._affine(x_TD, f"{layer}attention.qkv")
        parts = np.split(joined, [spec.q_rows, spec.q_rows + spec.kv_rows], axis=-1)
        q_HTW, k_GTW, v_GTW = (
            part.reshape(length, -1, spec.head_dim).transpose(1, 0, 2) for part in parts
        )
        if spec.qk_norm:
            q_HTW = self._rms(q_HTW, f"{layer}attention.q_norm")
            k_GTW = self._rms(k_GTW, f"{layer}attention.k_norm")
        q_HTW, k_GTW = self._rotate(q_HTW), self._rotate(k_GTW)
        groups = spec.heads // spec.kv_heads
        k_HTW, v_HTW = np.repeat(k_GTW, groups, axis=0), np.repeat(v_GTW, groups, axis=0)
        scores_HTT = q_HTW @ k_HTW.swapaxes(1, 2) * spec.score_scale
        scores_HTT = self._placed(_capped(scores_HTT, spec.attention_softcap), spec.window(number))
        mixed_HTW = _softmax(scores_HTT) @ v_HTW
        flat = mixed_HTW.transpose(1, 0, 2).reshape(length, spec.q_rows).astype(np.float32)
        return self._affine(flat, f"{layer}attention.out")

    def _placed(self, scores_HTT: np.ndarray, window: int | None) -> np.ndarray:
        """Scores with what positions take off them; minus infinity where nothing is seen."""
        length = scores_HTT.shape[-1]
        query, key = np.arange(length)[:, None], np.arange(length)[None, :]
        if isinstance(self._spec.positions, Alibi):
            slopes = np.array(alibi_slopes(self._spec.heads), np.float32)[:, None, None]
            scores_HTT = scores_HTT + slopes * (key - query)
        is_seen = key <= query
        if window is not None:
            is_seen &= key > query - window
        return np.where(is_seen, scores_HTT, -np.inf)

    def _rotate(self, x_HTW: np.ndarray) -> np.ndarray:
        rope = self._spec.positions
        if not isinstance(rope, Rope):
            return x_HTW
        half = rope.dim // 2
        angles = np.outer(np.arange(x_HTW.shape[1]), rope.frequencies())
        cos = (np.cos(angles) * rope.magnitude).astype(np.float32)
        sin = (np.sin(angles) * rope.magnitude).astype(np.float32)
        a, b, rest = x_HTW[..., :half], x_HTW[..., half : rope.dim], x_HTW[..., rope.dim :]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin, rest], -1)

    # --- the other parts ----------------------------------------------------------------------

    def _mlp(self, x: np.ndarray, layer: str) -> np.ndarray:
        activation = _ACTIVATIONS[self._spec.activation]
        inner = self._affine(x, f"{layer}mlp.up")
        if self._spec.mlp == "gated":
            inner = activation(self._affine(x, f"{layer}mlp.gate")) * inner
        else:
            inner = activation(inner)
        return self._affine(inner, f"{layer}mlp.down")

    def _affine(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self._weights[f"{name}.weight"].T + self._weights.get(f"{name}.bias", 0)

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        if self._spec.norm == "rms":
            return self._rms(x, name)
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self._spec.norm_epsilon)
        return scaled * self._weights[f"{name}.weight"] + self._weights.get(f"{name}.bias", 0)

    def _rms(self, x: np.ndarray, name: str) -> np.ndarray:
        size = np.sqrt((x**2).mean(-1, keepdims=True) + self._spec.norm_epsilon)
        return x / size * self._weights[f"{name}.weight"]


def _softmax(scores: np.ndarray) -> np.ndarray:
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return scores / scores.sum(-1, keepdims=True)


def _capped(values: np.ndarray, cap: float | None) -> np.ndarray:
    return values if cap is None else cap * np.tanh(values / cap)


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + _erf(x / math.sqrt(2)))


def _erf(x: np.ndarray) -> np.ndarray:
    """Computes the error function to 1.5e-7 (Abramowitz and Stegun 1964, formula 7.1.26)."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    terms = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    series = sum(factor * t ** (power + 1) for power, factor in enumerate(terms))
    return np.sign(x) * (1 - series * np.exp(-(x**2)))


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


_ACTIVATIONS = {
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
}
