"""The rule that recommends a model, on made machines."""

from dataclasses import replace

import pytest

from model_runtime.catalogue.entries import find_model
from model_runtime.catalogue.fit import MAX_KEY_MS, MAX_SLOW_KEY_MS, assess
from model_runtime.machine.speed import MachineSpeed

GB = 10**9
_ROW = find_model("qwen2.5-coder-0.5b")
TINY = replace(
    _ROW, name="tiny", parameters=10**8, layers=8, hidden=512, vocabulary=32_000, quality=20.0
)
SMALL = replace(_ROW, name="small", quality=70.0)
WORSE = replace(_ROW, name="worse", quality=50.0)
LARGE = replace(
    _ROW, name="large", parameters=7 * GB, layers=28, hidden=3584, kv_width=512, quality=90.0
)
MODELS = (LARGE, TINY, WORSE, SMALL)


def machine(times):
    """A machine that is so many times as fast as one with 30 GB/s."""
    return MachineSpeed(bandwidth=times * 3e10, flops=times * 4e11, threads=2)


SLOW, USUAL, QUICK, HUGE = machine(0.3), machine(1), machine(4), machine(100)


@pytest.mark.parametrize(
    ("speed", "memory", "models", "recommended"),
    [
        (HUGE, 32 * GB, MODELS, "large"),
        (HUGE, 6 * GB, MODELS, "small"),  # the best that memory is enough for
        (HUGE, GB // 4, MODELS, None),
        (QUICK, 32 * GB, MODELS, "small"),
        (QUICK, 32 * GB, (WORSE, TINY), "worse"),
        (USUAL, 32 * GB, MODELS, "tiny"),  # a quick one goes before a better one that is slow
        (USUAL, 32 * GB, (LARGE, SMALL), "small"),  # slow, and still the fastest
        (SLOW, 32 * GB, MODELS, "tiny"),
        (SLOW, 32 * GB, (LARGE, SMALL), None),
        (machine(0.001), 32 * GB, MODELS, None),
        (QUICK, 32 * GB, (), None),
    ],
)
def test_the_best_of_the_quick_ones_is_recommended_else_the_fastest(
    speed, memory, models, recommended
):
    found = assess(models, speed, memory)

    assert [model.name for model in models] == [one.model.name for one in found]
    assert ([recommended] if recommended else []) == [
        one.model.name for one in found if one.is_recommended
    ]
    for one in found:
        if one.is_recommended:
            assert one.fits
            assert one.key_ms <= MAX_SLOW_KEY_MS
            assert (one.key_ms > MAX_KEY_MS) == ("slower than most people type" in one.why)


@pytest.mark.parametrize(
    ("memory", "fits", "why"),
    [
        (32 * GB, True, "fits: 1.0 GB of 32.0 GB memory, a suggestion about"),
        (11 * GB // 10, False, "needs 1.0 GB, and of 1.1 GB some must be left to other programs"),
        (GB // 2, False, "needs 1.0 GB and 0.5 GB are free"),
    ],
)
def test_the_sentence_says_what_is_needed_and_what_there_is(memory, fits, why):
    (one,) = assess((SMALL,), QUICK, memory)

    assert fits == one.fits
    assert one.why.startswith(why)


def test_of_two_that_are_as_good_the_faster_one_is_taken():
    twin = replace(SMALL, name="twin", layers=30)

    found = assess((twin, SMALL), HUGE, 32 * GB)

    assert [False, True] == [one.is_recommended for one in found]
