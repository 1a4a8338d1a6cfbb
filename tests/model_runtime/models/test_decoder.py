"""The sizes and names that a decoder's numbers imply."""

import math
from dataclasses import replace

import pytest

from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.positions import (
    LinearScaling,
    Llama3Scaling,
    Rope,
    YarnScaling,
    alibi_slopes,
)
from tests.support.random_models import DECODERS

GROUPED = DECODERS["grouped heads, rms norm, gated"]


def test_keys_and_values_are_counted_by_their_own_heads():
    assert 2 * 2 * (2 * 16) * 4 == GROUPED.kv_bytes_per_token()
    assert GROUPED.kv_bytes_per_token() == 2 * GROUPED.kv_bytes_per_token(itemsize=2)
    assert GROUPED.kv_bytes_per_token() * 2 == replace(GROUPED, kv_heads=4).kv_bytes_per_token()


def test_rows_of_queries_keys_and_values_follow_each_other():
    shapes = replace(GROUPED, head_dim=32, biases=frozenset({"qkv"})).tensor_shapes()

    assert ((4 + 2 + 2) * 32, 64) == shapes["layers.1.attention.qkv.weight"]
    assert ((4 + 2 + 2) * 32,) == shapes["layers.1.attention.qkv.bias"]
    assert (64, 4 * 32) == shapes["layers.1.attention.out.weight"]
    assert "layers.1.attention.out.bias" not in shapes


@pytest.mark.parametrize(
    ("change", "appear"),
    [
        ({"tied": False}, {"head.weight"}),
        ({"mlp": "gated"}, {"layers.0.mlp.gate.weight"}),
        ({"post_norms": True}, {"layers.0.attention_post_norm.weight", "layers.1.mlp_post_norm.weight"}),
        ({"qk_norm": True}, {"layers.0.attention.q_norm.weight", "layers.1.attention.k_norm.weight"}),
        ({"biases": frozenset({"norm"})}, {"final_norm.bias", "layers.1.mlp_norm.bias"}),
    ],
)  # fmt: skip
def test_a_tensor_is_there_where_a_setting_asks_for_it(change, appear):
    least = replace(GROUPED, tied=True, mlp="plain", norm="layer")

    assert not appear & set(least.tensor_shapes())
    assert appear <= set(replace(least, **change).tensor_shapes())


@pytest.mark.parametrize("name", DECODERS)
def test_the_decoders_of_the_tests_are_possible(name):
    spec = DECODERS[name]

    assert [] == spec.problems()
    assert spec.count_parameters() == sum(map(math.prod, spec.tensor_shapes().values()))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"layers": 0}, "layers must be at least 1 and at most 1024, not 0"),
        ({"heads": 2**20}, "heads must be at least 1 and at most 65536"),
        ({"norm_epsilon": -1.0}, "norm_epsilon must be at least 1e-20"),
        ({"embedding_scale": math.inf}, "embedding_scale must be a number, not inf"),
        ({"windows": (0, None)}, r"windows[0] must be at least 1"),
        ({"positions": Rope(dim=12, base=0.5)}, "positions.base must be at least 1"),
        (
            {"positions": Rope(dim=12, scaling=LinearScaling(factor=0.5))},
            "positions.scaling.factor must be at least 1",
        ),
        ({"positions": Rope(dim=18)}, "positions.dim 18 must be even and within the head's 16"),
        (
            {
                "positions": Rope(
                    dim=16,
                    scaling=Llama3Scaling(
                        factor=8.0,
                        low_frequency_factor=4.0,
                        high_frequency_factor=4.0,
                        original_context=64,
                    ),
                )
            },
            "positions.scaling.high_frequency_factor must exceed low_frequency_factor",
        ),
    ],
)
def test_an_impossible_number_is_named(change, problem):
    (told,) = replace(GROUPED, **change).problems()

    assert told.startswith(problem)


def test_every_number_that_is_out_of_range_is_named():
    told = replace(GROUPED, layers=0, hidden=0, vocab=-1).problems()

    assert ["layers", "hidden", "vocab"] == [problem.split()[0] for problem in told]


def test_no_field_names_a_family():
    names = " ".join(DecoderSpec.__dataclass_fields__)

    assert not any(name in names for name in ("llama", "neox", "gemma", "qwen", "starcoder"))


def test_scaled_frequencies_lie_between_the_plain_ones_and_those_over_the_factor():
    plain = Rope(dim=32).frequencies()
    for scaling in (
        LinearScaling(factor=4.0),
        Llama3Scaling(
            factor=4.0, low_frequency_factor=1.0, high_frequency_factor=4.0, original_context=256
        ),
        YarnScaling(factor=4.0, original_context=256),
    ):
        found = Rope(dim=32, scaling=scaling).frequencies()
        assert len(plain) == len(found)
        for before, after in zip(plain, found, strict=True):
            assert before / 4 * 0.999 <= after <= before * 1.001
        assert found[-1] == pytest.approx(plain[-1] / 4)


def test_slopes_of_another_number_than_a_power_of_two_are_distinct():
    assert 12 == len(set(alibi_slopes(12)))
