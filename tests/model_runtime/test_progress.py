"""Who is told how far a preparation is."""

from model_runtime import progress


def test_nobody_need_listen():
    with progress.step("baking"):
        progress.advance(0.5)


def test_all_listeners_of_the_context_are_told_of_a_step():
    inner, outer = [], []
    with progress.told_to(lambda *told: outer.append(told)):
        with progress.told_to(lambda *told: inner.append(told)), progress.step("baking"):
            progress.advance(0.5)
        progress.advance(0.7)

    assert inner == outer == [("baking", 0.0), ("baking", 0.5), ("baking", 1.0)]


def test_outside_of_a_step_nothing_advances():
    told = []
    with progress.told_to(lambda *said: told.append(said)):
        progress.advance(0.5)

    assert [] == told
