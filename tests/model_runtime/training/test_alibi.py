"""Restarted ALiBi is what a naive loop over parts says."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.template import Slot
from model_runtime.training.alibi import Sentinels, alibi_bias, parts_of, plain_distances
from model_runtime.training.export import ExportError, export
from model_runtime.training.forward import Batch, hidden_states
from model_runtime.training.network import Network, Shape
from model_runtime.training.packing import lay
from model_runtime.training.recipe import NetworkRecipe, Recipe

TOKENS = FimTokens(end=0, suffix=1, prefix=2, middle=3, pad=4)
SENTINELS = Sentinels(1, 2, 3)
SHAPE = Shape(1, 32, 2, 50, 32, positions="alibi", sentinels=SENTINELS)
PREFIX, MIDDLE, SUFFIX = [10, 11, 12], [20, 21], [30, 31, 32, 33]


def hole(order: Order) -> list[int]:
    parts = {Slot.PREFIX: PREFIX, Slot.SUFFIX: SUFFIX}
    return [*PromptFormat.of_order(order, TOKENS).ids(parts, list), *MIDDLE, TOKENS.end]


def naive_distance(order: Order, query: int, key: int) -> int:
    """In ids, by the names of the parts alone."""
    ids = hole(order)
    names, offsets, name = [], [], ""
    for id_ in ids:
        name = {1: "suffix", 2: "prefix", 3: "middle"}.get(id_, name)
        offsets.append(names.count(name))
        names.append(name)
    prefix = names.count("prefix")
    if names[key] == "suffix" != names[query]:
        return offsets[key] + 1
    places = [
        offset + (prefix if name == "middle" or (name == "suffix" and order is Order.PSM) else 0)
        for offset, name in zip(offsets, names, strict=True)
    ]
    return places[query] - places[key]


@pytest.mark.parametrize("order", [Order.SPM1, Order.PSM])
def test_distances_within_a_hole_are_those_of_a_naive_loop(order: Order):
    ids = hole(order)
    found = parts_of(np.array([ids], np.int32), [[len(ids)]], SENTINELS).distances()[0]
    for query in range(len(ids)):
        for key in range(query + 1):
            assert naive_distance(order, query, key) == found[query, key], (query, key)


def test_with_the_suffix_first_its_start_is_near_and_the_prefix_end_too():
    ids = hole(Order.SPM1)
    found = parts_of(np.array([ids], np.int32), [[len(ids)]], SENTINELS).distances()[0]
    middle = ids.index(20)

    assert (2, 2) == (found[middle, ids.index(30)], found[middle, ids.index(12)])
    assert found[middle, ids.index(33)] == 5


def test_text_without_holes_and_other_examples_have_plain_distances():
    text, length = [0, 5, 6, 7], len(hole(Order.PSM))
    rows = lay([[text, hole(Order.PSM)], [text]], 32, 4)
    found = parts_of(rows.ids_RT, rows.lengths, SENTINELS).distances()
    plain = plain_distances(32, torch.device("cpu"))

    assert torch.equal(plain, found[1])
    assert torch.equal(plain[:, :4], found[0][:, :4])
    assert torch.equal(plain[4 + length :], found[0][4 + length :])


def test_a_tiny_network_attends_as_the_naive_loop_does():
    torch.manual_seed(0)
    ids = hole(Order.SPM1)
    network = Network(replace(SHAPE, context=len(ids)))
    rows = lay([[ids]], len(ids), 4)
    batch = Batch.of(rows, True, torch.device("cpu"), SENTINELS)
    (layer,) = network.gpt_neox.layers
    attention = layer.attention
    with torch.no_grad():
        x = network.gpt_neox.embed_in(batch.ids_N)
        normed = layer.input_layernorm(x)
        q, k, v = attention.query_key_value(normed).view(-1, 2, 48).split(16, dim=-1)
        mixed = torch.zeros_like(q)
        for head in range(2):
            for i in range(len(ids)):
                scores = torch.stack(
                    [
                        q[i, head] @ k[j, head] / math.sqrt(16)
                        - 2.0 ** (-8 * (head + 1) / 2) * naive_distance(Order.SPM1, i, j)
                        for j in range(i + 1)
                    ]
                )
                mixed[i, head] = scores.softmax(0) @ v[: i + 1, head]
        expected = x + attention.dense(mixed.reshape(len(ids), -1))
        expected = expected + layer.mlp(layer.post_attention_layernorm(x))
        expected = network.gpt_neox.final_layer_norm(expected)
        found = hidden_states(network, batch, torch.float32)

    torch.testing.assert_close(expected, found)


def test_plain_bias_grows_with_the_distance():
    bias = alibi_bias(2, plain_distances(3, torch.device("cpu")))

    assert [-2 / 16, -1 / 16, 0.0] == bias[0, 2].tolist()
    assert math.isinf(bias[0, 0, 1])


def test_export_refuses_what_no_engine_serves(tmp_path: Path):
    recipe = Recipe("arm", network=NetworkRecipe(positions="alibi", alibi_restart=True))

    with pytest.raises(ExportError, match="no engine can serve"):
        export(recipe, tmp_path, tmp_path / "tokenizer.json", tmp_path, tmp_path / "out")
