import pytest

from model_runtime.training.recipe import OptimizerRecipe
from model_runtime.training.schedule import rate_factor

FLAT = OptimizerRecipe(warmup=0.0, decay=0.0)
WSD = OptimizerRecipe(warmup=0.02, decay=0.4)
COSINE = OptimizerRecipe(schedule="cosine", warmup=0.01, min_rate=0.1)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (0.0, 0.0),
        (0.01, 0.5),
        (0.02, 1.0),
        (0.5, 1.0),
        (0.6, 1.0),
        (0.8, 0.5),
        (1.0, 0.0),
        (1.2, 0.0),
    ],
)
def test_the_rate_rises_stays_and_falls(progress: float, expected: float):
    assert expected == pytest.approx(rate_factor(progress, WSD))


def test_a_schedule_without_warmup_and_decay_is_flat():
    assert {1.0} == {rate_factor(p / 10, FLAT) for p in range(11)}


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, 0.0), (0.005, 0.5), (0.01, 1.0), (0.505, 0.55), (1.0, 0.1)]
)
def test_a_cosine_falls_from_the_warmup_to_the_lowest_rate(progress: float, expected: float):
    assert expected == pytest.approx(rate_factor(progress, COSINE))
