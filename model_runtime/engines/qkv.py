"""How GPT-NeoX checkpoints order the rows of the joined query, key and value matrix."""

from __future__ import annotations

import numpy as np

from model_runtime.models.decoder import Architecture
from model_runtime.models.weights import Array


def rows_by_kind(architecture: Architecture) -> Array:
    """Where the rows of all queries, then all keys, then all values stand in a checkpoint.

    Checkpoints have [head, (q, k, v), head_dim]; CTranslate2 and ONNX Runtime take [(q, k, v),
    head, head_dim].

    Returns: the checkpoint's row for each of theirs, int [3 * hidden].
    """
    rows = np.arange(3 * architecture.hidden)
    grouped = rows.reshape(architecture.heads, 3, architecture.head_dim)
    by_kind: Array = grouped.swapaxes(0, 1).reshape(-1)
    return by_kind
