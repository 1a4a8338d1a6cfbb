"""A server that does not answer is left alone for a while, longer each time."""

from model_runtime.engines.remote.backoff import MAX_SECONDS, Backoff


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def failing(times, draw=lambda low, high: high, retry_after=None):
    """The waits after so many failures, each of which comes when the wait before is over."""
    clock = Clock()
    backoff, waits = Backoff(clock, draw), []
    for _ in range(times):
        backoff.failed("it is down", retry_after)
        waits.append(backoff.seconds_left())
        clock.now += waits[-1]
    return waits


def test_each_wait_is_twice_the_last_one_up_to_a_limit():
    assert [0.5, 1, 2, 4, 8, 16, MAX_SECONDS, MAX_SECONDS] == failing(8)


def test_waits_are_drawn_from_the_upper_half_of_a_range():
    assert [0.25, 0.5, 1] == failing(3, draw=lambda low, high: low)


def test_a_server_is_not_asked_sooner_than_it_wants():
    assert [7, 7] == failing(2, draw=lambda low, high: low, retry_after=7)


def test_a_server_cannot_ask_for_a_day():
    assert [600] == failing(1, draw=lambda low, high: low, retry_after=86400)


def test_failures_at_the_same_time_are_one():
    backoff = Backoff(Clock(), lambda low, high: high)
    for _ in range(9):
        backoff.failed("it is down")

    assert 0.5 == backoff.seconds_left()


def test_an_answer_ends_the_waiting():
    backoff = Backoff(Clock())
    backoff.failed("it is down")
    assert "it is down" == backoff.problem
    backoff.succeeded()

    assert (0, "") == (backoff.seconds_left(), backoff.problem)
