"""A speed that falls by half is noticed, once; noise and another model are not."""

import pytest

from fim_lsp.completion.speed_watch import SpeedWatch

FAST, SLOW, SLOWER = 10.0, 25.0, 60.0
"""Milliseconds of a token."""


@pytest.mark.parametrize(
    ("tokens_ms", "noticed"),
    [
        ([FAST] * 20, 0),
        ([FAST] * 5 + [SLOW] * 10, 1),
        ([FAST] * 5 + [SLOW] * 10 + [SLOWER] * 10, 2),
        ([FAST] * 5 + [SLOW] * 2 + [FAST] * 10, 0),
        ([FAST] * 5 + [FAST * 1.9] * 20, 0),
        ([SLOW] * 5 + [FAST] * 20, 0),
        ([FAST] * 4, 0),
    ],
    ids=["steady", "halved", "halved twice", "a moment", "somewhat slower", "faster", "too few"],
)
def test_it_is_noticed_once_when_the_median_has_doubled(tokens_ms, noticed):
    watch = SpeedWatch(window=5)

    found = [watch.has_halved("model", 8 * milliseconds, 8) for milliseconds in tokens_ms]

    assert noticed == sum(found)


def test_another_model_is_no_slower_version_of_the_first():
    watch = SpeedWatch(window=3)

    found = [watch.has_halved("small", FAST, 1) for _ in range(5)]
    found += [watch.has_halved("large", SLOWER, 1) for _ in range(5)]

    assert not any(found)


def test_answers_of_one_token_say_nothing():
    watch = SpeedWatch(window=2)

    assert not any(watch.has_halved("model", milliseconds, 0) for milliseconds in (1, 1, 9, 9))
