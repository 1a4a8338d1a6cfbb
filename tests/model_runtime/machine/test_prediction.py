"""Predictions grow with the model and shrink with the machine, whatever their constants are."""

from dataclasses import replace

import pytest

from model_runtime.catalogue.entries import catalogue
from model_runtime.machine.prediction import (
    DecoderFacts,
    key_ms,
    keys_of_format,
    memory_needed,
    p95_ms,
    percentile_95,
    predicted_key_ms,
    weight_bytes,
)
from model_runtime.machine.speed import MachineSpeed
from model_runtime.machine.typed_keys import Key, typed_keys
from model_runtime.prompt.published import PUBLISHED
from tests.support.random_models import DECODERS

SPEED = MachineSpeed(bandwidth=3e10, flops=4e11, threads=1)
MODEL = DecoderFacts(
    parameters=500 * 10**6,
    layers=24,
    hidden=900,
    kv_width=128,
    vocabulary=150_000,
    is_tied=True,
)
LARGER = {
    "more weights": {"parameters": 600 * 10**6},
    "more layers": {"layers": 30},
    "wider": {"hidden": 1200, "parameters": 545 * 10**6},
    "wider keys": {"kv_width": 900},
    "an output matrix of its own": {"is_tied": False, "parameters": 640 * 10**6},
}
KEYS = {
    "suffix first": typed_keys(is_suffix_first=True),
    "suffix behind": typed_keys(is_suffix_first=False),
    "suffix read at every key": typed_keys(is_suffix_first=False, rereads_suffix=True),
}


@pytest.mark.parametrize("change", LARGER)
@pytest.mark.parametrize("keys", KEYS)
def test_a_larger_model_takes_longer(change, keys):
    assert p95_ms(MODEL, SPEED, KEYS[keys]) < p95_ms(
        replace(MODEL, **LARGER[change]), SPEED, KEYS[keys]
    )


@pytest.mark.parametrize("change", ["more weights", "an output matrix of its own"])
def test_more_weights_take_more_memory(change):
    assert memory_needed(MODEL) < memory_needed(replace(MODEL, **LARGER[change]))


@pytest.mark.parametrize("faster", [{"bandwidth": 6e10}, {"flops": 8e11}])
def test_a_faster_machine_takes_less_time(faster):
    keys = KEYS["suffix behind"]

    assert p95_ms(MODEL, replace(SPEED, **faster), keys) < p95_ms(MODEL, SPEED, keys)


def test_what_is_read_more_often_takes_longer():
    times = [p95_ms(MODEL, SPEED, KEYS[name]) for name in KEYS]

    assert times == sorted(times)
    assert len(set(times)) == len(times)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (Key(0, 0), Key(1, 1)),
        (Key(1, 2), Key(1, 3)),
        (Key(2, 2), Key(3, 2)),
        (Key(100, 2), Key(120, 2)),
    ],
)
def test_a_key_with_more_ids_takes_longer(less, more):
    assert key_ms(MODEL, SPEED, less) < key_ms(MODEL, SPEED, more)


def test_weights_in_float_take_the_room_and_the_time_of_their_bytes():
    floats = weight_bytes("float32")

    assert memory_needed(MODEL, bytes_each=floats) > 4 * MODEL.parameters
    assert memory_needed(MODEL) > MODEL.parameters
    assert key_ms(MODEL, SPEED, Key(1, 9)) < key_ms(MODEL, SPEED, Key(1, 9), bytes_each=floats)


BY_ROWS = replace(SPEED, row_bandwidth=2e10, row_flops=9e11)
SMALL = replace(MODEL, parameters=30 * 10**6, vocabulary=8_000, hidden=384, layers=6)


def test_each_pass_is_predicted_in_the_faster_form():
    """The second one reads long passes faster, and single ids slower."""
    long, short = Key(300, 1), Key(1, 9)

    assert key_ms(MODEL, BY_ROWS, long) < key_ms(MODEL, SPEED, long)
    assert key_ms(MODEL, BY_ROWS, short) == key_ms(MODEL, SPEED, short)


@pytest.mark.parametrize(
    ("model", "bytes_each"), [(SMALL, weight_bytes("int8")), (MODEL, weight_bytes("float32"))]
)
def test_a_small_model_or_one_in_float_has_one_form(model, bytes_each):
    key = Key(300, 9)

    assert key_ms(model, BY_ROWS, key, bytes_each=bytes_each) == key_ms(
        model, SPEED, key, bytes_each=bytes_each
    )


def test_a_large_output_head_is_read_in_part_while_decoding():
    smaller = replace(MODEL, parameters=MODEL.parameters - 60_000 * 900, vocabulary=90_000)
    with_head, without = (key_ms(it, SPEED, Key(1, 9)) for it in (MODEL, smaller))
    whole = 8 * 60_000 * 900 * weight_bytes("int8") / SPEED.bandwidth * 1e3

    assert with_head - without < whole


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_published_format_has_keys_and_an_unknown_one_the_worst(name):
    assert keys_of_format(name) in (KEYS["suffix first"], KEYS["suffix behind"])
    assert keys_of_format("unheard-of") == KEYS["suffix behind"]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("qwen2.5-coder", "suffix behind"),
        ("mellum", "suffix first"),
        ("seed-coder", "suffix first"),
    ],
)
def test_the_order_of_the_parts_is_that_of_the_template(name, keys):
    assert KEYS[keys] == keys_of_format(name)


def test_every_row_of_the_catalogue_has_a_prediction():
    for model in catalogue():
        assert predicted_key_ms(model, SPEED) > 10
        assert memory_needed(model) > model.parameters


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_states_the_facts(name):
    spec = DECODERS[name]
    facts = DecoderFacts.of(spec)

    assert spec.count_parameters() == facts.parameters
    assert spec.kv_bytes_per_token() == 2 * facts.layers * facts.kv_width * 4
    assert key_ms(facts, SPEED, Key(40, 4)) > 0


@pytest.mark.parametrize(
    ("values", "expected"), [([], 0.0), ([7.0], 7.0), ([float(one) for one in range(100)], 95.0)]
)
def test_the_percentile_is_that_of_a_replay(values, expected):
    assert expected == percentile_95(values)
