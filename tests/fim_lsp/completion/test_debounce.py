"""The wait after a key, from the pauses between keys and the time of answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.completion.debounce import (
    FIRST_WAIT_MS,
    MAX_WAIT_MS,
    MIN_WAIT_MS,
    AdaptiveDebounce,
    shortest_wait,
)

CALM, HASTY = [240.0] * 20, [90.0] * 20
GAPS = st.lists(st.floats(0, 2000), min_size=1, max_size=64)


@pytest.mark.parametrize(
    ("gaps", "answer_ms", "wait"),
    [
        (CALM, 40, MIN_WAIT_MS),
        (HASTY, 40, MIN_WAIT_MS),
        (HASTY, 120, MAX_WAIT_MS),
        (CALM, 3000, MAX_WAIT_MS),
        (HASTY + [800.0] * 4, 120, 90.0),
    ],
    ids=["calm, quick", "hasty, quick", "hasty, slow", "hopeless", "bursts and rests"],
)
def test_the_wait_fits_typist_and_engine(gaps, answer_ms, wait):
    assert wait == shortest_wait(gaps, answer_ms)


@given(GAPS, st.floats(0, 3000))
def test_after_the_wait_half_of_the_answers_come_in_time_or_it_is_the_longest(gaps, answer_ms):
    wait = shortest_wait(gaps, answer_ms)
    begun = [gap for gap in gaps if gap > wait]

    assert MIN_WAIT_MS <= wait <= MAX_WAIT_MS
    in_time = [gap for gap in begun if gap > wait + answer_ms]
    assert wait == MAX_WAIT_MS or 2 * len(in_time) >= len(begun) > 0


@given(GAPS, st.floats(0, 1000), st.floats(0, 1000))
def test_a_slower_engine_never_shortens_the_wait(gaps, one, other):
    assert shortest_wait(gaps, min(one, other)) <= shortest_wait(gaps, max(one, other))


def typed(gaps_ms, answers_ms=()):
    pace, now = AdaptiveDebounce(), 100.0
    pace.key(now)
    for gap in gaps_ms:
        now += gap / 1e3
        pace.key(now)
    for answer in answers_ms:
        pace.answered(answer)
    return pace


@pytest.mark.parametrize(
    "pace", [AdaptiveDebounce(), typed(CALM), typed([], [40] * 9), typed(CALM[:3], [40] * 9)]
)
def test_before_enough_is_known_the_wait_is_a_usual_one(pace):
    assert FIRST_WAIT_MS == pace.wait_ms()


def test_old_keys_are_forgotten():
    pace = typed(HASTY * 10 + CALM * 4, [120] * 3)

    assert 240 == pytest.approx(pace.gap_ms)
    assert MIN_WAIT_MS == pace.wait_ms()


def test_a_long_rest_says_no_more_than_a_short_one():
    assert 2000 == typed([1e7] * 20).gap_ms


def test_a_request_that_was_given_up_counts_as_slow_as_it_was_by_then():
    pace = typed(HASTY, [20] * 3)
    for _ in range(8):
        pace.gave_up(85)

    assert 85 == pace.answer_ms
    assert MAX_WAIT_MS == pace.wait_ms()


def test_one_that_was_given_up_early_says_nothing():
    pace = typed(CALM, [40] * 3)
    for _ in range(16):
        pace.gave_up(5)

    assert 40 == pace.answer_ms
