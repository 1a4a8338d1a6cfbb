"""A quarter of a core on average, and nothing on battery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.model_host.idle_budget import SHARE, IdleBudget, is_on_battery


class Clock:
    """Stands at `now` until a test sets it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_debt_is_paid_before_the_next_job(clock):
    budget = IdleBudget(clock)
    budget.spend(3)
    found = []
    for clock.now in (0, 7.9, 8.1):
        found.append(budget.allows())

    assert [False, False, True] == found


def test_no_more_than_a_second_is_saved_up(clock):
    budget = IdleBudget(clock)
    clock.now = 1e6
    assert budget.allows()
    budget.spend(1.5)
    clock.now += 1

    assert not budget.allows()


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 5)), max_size=60),
)
def test_over_any_time_a_quarter_is_spent_and_one_job_and_what_was_saved_up(asked):
    clock, spent, longest = Clock(), 0.0, 0.0
    budget = IdleBudget(clock)
    for pause, job in asked:
        clock.now += pause
        if budget.allows():
            budget.spend(job)
            spent, longest = spent + job, max(longest, job)

        assert spent <= SHARE * clock.now + 1 + longest + 1e-6


MAINS = {"type": "Mains", "online": "1"}
UNPLUGGED = {"type": "Mains", "online": "0"}
DRAINING = {"type": "Battery", "status": "Discharging"}
FULL = {"type": "Battery", "status": "Full"}
MOUSE = {"type": "Battery", "status": "Discharging", "scope": "Device"}


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ([], False),
        ([MAINS], False),
        ([UNPLUGGED, DRAINING], True),
        ([DRAINING], True),
        ([MAINS, DRAINING], False),
        ([UNPLUGGED, FULL], False),
        ([MOUSE], False),
        ([MAINS, MOUSE], False),
        ([{"type": "USB", "online": "1"}, DRAINING], False),
        ([{}], False),
    ],
    ids=str,
)
def test_the_battery_is_found_where_linux_shows_it(tmp_path, supplies, expected):
    for number, files in enumerate(supplies):
        folder = tmp_path / f"supply{number}"
        folder.mkdir()
        for name, value in files.items():
            (folder / name).write_text(f"{value}\n", encoding="utf-8")

    assert expected is is_on_battery(tmp_path)


def test_a_system_that_does_not_say_counts_as_mains(tmp_path):
    assert not is_on_battery(tmp_path / "nowhere")
