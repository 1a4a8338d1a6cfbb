"""Long prompts run in passes that are short enough to be interrupted without much loss."""

import pytest

from model_runtime.engines.pass_length import PassLength


def lengths(seconds_of_id, count=12):
    """The ids of passes, on a machine that takes so long for each id."""
    length, found = PassLength(32, 128), []
    for _ in range(count):
        found.append(length.ids)
        length.took(length.ids, length.ids * seconds_of_id)
    return found


@pytest.mark.parametrize(
    ("seconds_of_id", "ids"), [(0.0001, 128), (0.001, 128), (0.002, 64), (0.004, 32), (0.1, 32)]
)
def test_the_slower_an_id_the_shorter_a_pass(seconds_of_id, ids):
    found = lengths(seconds_of_id)

    assert 32 == found[0]
    assert {ids} == set(found[3:])


def test_a_machine_that_was_busy_for_a_while_gets_long_passes_again():
    length = PassLength(32, 128)
    for seconds, ids in ((0.01, 128), (1.0, 32), (0.01, 128)):
        for _ in range(3):
            length.took(length.ids, seconds)
        assert ids == length.ids


def test_the_rest_of_a_prompt_tells_nothing():
    length = PassLength(32, 128)
    length.took(20, 0.001)
    assert 32 == length.ids
    length.took(32, 0.001)
    length.took(40, 1.0)

    assert 64 == length.ids
