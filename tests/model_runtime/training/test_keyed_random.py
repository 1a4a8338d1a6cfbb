"""KeyedRandom depend on their key and on nothing else."""

import copy
import statistics
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.training.keyed_random import KeyedRandom

KEYS = [(0, 0, "0123456789abcdef"), (0, 1, "0123456789abcdef"), (1, 0, "0123456789abcdef")]


def test_the_generator_is_the_published_one():
    """Philox4x64-10 of key 0 and counter 0, from the known answers of its authors' Random123."""
    words = np.random.Philox(key=0, counter=2**256 - 1).random_raw(
        4
    )  # numpy counts before it draws

    assert [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B] == list(
        words
    )


def test_known_answers():
    """If these change, every recipe trains on other holes."""
    draws = KeyedRandom(*KEYS[0])

    assert [0.9078626682998707, 0.7382418070880556, 0.0005526227062235822] == [
        draws.random() for _ in range(3)
    ]
    assert [920, 624, 724, 899, 499, 446] == [draws.randrange(1000) for _ in range(6)]
    assert 13384067877544813404 == draws.getrandbits(64)
    assert 1259216828866741080333860166192 == draws.getrandbits(100)
    assert [6, 3, 5, 1, 2, 4, 9, 8, 0, 7] == draws.sample(range(10), 10)
    assert list("abcbb") == draws.choices("abc", [1, 2, 3], k=5)


def test_another_process_draws_the_same():
    """Python's own hashes differ from process to process."""
    code = "from model_runtime.training.keyed_random import KeyedRandom; print(KeyedRandom(3, 'a').random())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert KeyedRandom(3, "a").random() == float(found.stdout)


def test_the_order_in_which_keys_are_used_changes_nothing():
    expected = {key: [KeyedRandom(*key).random() for _ in range(1)] for key in KEYS}
    streams = {key: KeyedRandom(*key) for key in reversed(KEYS)}
    for _ in range(100):
        streams[KEYS[1]].random()

    assert expected[KEYS[0]] == [streams[KEYS[0]].random()]
    assert expected[KEYS[2]] == [streams[KEYS[2]].random()]


@pytest.mark.parametrize(
    "keys", [KEYS, [("a", "b"), ("a/b",), ("a, b",)], [(1, 2), (12,), ("1", 2), ("1", "2")]]
)
def test_every_key_has_a_stream_of_its_own(keys: list[tuple[int | str, ...]]):
    assert len(keys) == len({tuple(KeyedRandom(*key).random() for _ in range(4)) for key in keys})


def test_a_seed_does_not_reset_the_stream():
    draws, other = KeyedRandom(0), KeyedRandom(0)
    first = draws.random()
    draws.seed(0)

    assert [first, draws.random()] == [other.random(), other.random()]
    with pytest.raises(NotImplementedError, match="same key"):
        copy.copy(draws)


@given(st.integers(0, 300), st.integers())
def test_bits_are_as_many_as_asked_for(bits: int, key: int):
    assert 0 <= KeyedRandom(key).getrandbits(bits) < 1 << bits


def test_draws_are_uniform():
    draws = KeyedRandom("uniform")
    numbers = [draws.random() for _ in range(20_000)]
    cells = [draws.randrange(7) for _ in range(70_000)]

    assert 0.5 == pytest.approx(statistics.mean(numbers), abs=4 / (12 * 20_000) ** 0.5)
    for cell in range(7):
        # a binomial count of mean 10,000 lies within four and a half standard deviations
        assert abs(cells.count(cell) - 10_000) < 4.5 * (70_000 * 6 / 49) ** 0.5
    assert all(0.0 <= number < 1.0 for number in numbers)
