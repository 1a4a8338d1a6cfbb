import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.engines.numpy_sampling import Draws, pick, score
from model_runtime.engines.protocol import SamplingParams

CHANCES = np.array([0.5, 0.1, 0.3, 0.1], np.float32)
LOGITS = np.log(CHANCES) + 3


def sampling(temperature=1.0, top_p=1.0):
    return SamplingParams(1, frozenset(), temperature=temperature, top_p=top_p)


def drawn(params, count=4000):
    random = Draws(0)
    found = [pick(LOGITS, params, random).id for _ in range(count)]
    return np.bincount(found, minlength=4) / count


def test_greedy_takes_the_likeliest():
    token = pick(LOGITS, sampling(temperature=0), Draws(0))

    assert 0 == token.id
    assert np.log(0.5) == pytest.approx(token.logprob, abs=1e-5)


def test_samples_come_as_often_as_they_are_likely():
    assert CHANCES == pytest.approx(drawn(sampling()), abs=0.03)


def test_a_high_temperature_evens_out_and_a_low_one_sharpens():
    root = np.sqrt(CHANCES)

    assert root / root.sum() == pytest.approx(drawn(sampling(temperature=2)), abs=0.03)
    assert drawn(sampling(temperature=0.1))[0] > 0.98


@pytest.mark.parametrize(
    ("top_p", "left"),
    [(0.01, {0}), (0.5, {0}), (0.51, {0, 2}), (0.79, {0, 2}), (1.0, {0, 1, 2, 3})],
)
def test_the_smallest_set_that_reaches_top_p_is_drawn_from(top_p, left):
    assert left == set(np.flatnonzero(drawn(sampling(top_p=top_p))))


@given(
    st.lists(st.floats(-80, 80, width=32), min_size=1, max_size=40),
    st.floats(0.01, 5),
    st.floats(0.001, 1),
    st.integers(0, 2**32),
)
def test_any_logits_give_an_id_and_its_own_probability(logits, temperature, top_p, seed):
    row = np.array(logits, np.float32)
    token = pick(row, sampling(temperature, top_p), Draws(seed))
    expected = row.astype(float) - row.max()
    expected -= np.log(np.exp(expected).sum())

    assert expected[token.id] == pytest.approx(token.logprob, abs=1e-3)
    assert token.logprob == pytest.approx(score(row[None], np.array([token.id]))[0].logprob)
