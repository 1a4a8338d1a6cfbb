import pytest

from model_runtime.training.schedule import rate_factor


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
    assert expected == pytest.approx(rate_factor(progress, warm_up=0.02, decay=0.4))


def test_a_schedule_without_warm_up_and_decay_is_flat():
    assert {1.0} == {rate_factor(p / 10, 0.0, 0.0) for p in range(11)}
