import pytest

from model_runtime.engines.threads import LARGE_WEIGHTS, usable_threads


@pytest.mark.parametrize(
    ("cores", "threads"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4), (16, 8), (32, 8), (128, 8)]
)
def test_some_cores_are_left_to_the_editor(monkeypatch, cores, threads):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)

    assert threads == usable_threads(0, most=8)


@pytest.mark.parametrize(
    ("cores", "threads"), [(1, 1), (2, 2), (3, 2), (4, 2), (8, 4), (16, 8), (32, 8)]
)
def test_a_large_model_has_a_second_thread_where_there_are_two_cores(monkeypatch, cores, threads):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)

    assert threads == usable_threads(0, most=8, weights=LARGE_WEIGHTS)
    assert 1 == usable_threads(1, most=8, weights=LARGE_WEIGHTS)


@pytest.mark.parametrize(("wanted", "threads"), [(1, 1), (3, 3), (4, 4), (64, 4)])
def test_what_is_asked_for_is_taken_up_to_the_cores(monkeypatch, wanted, threads):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)

    assert threads == usable_threads(wanted, most=2)
