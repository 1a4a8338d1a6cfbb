import pytest

from model_runtime.engines.speculative import Drafter, Drafting, look_up

SENTINELS = frozenset({0, 1, 2, 3})


@pytest.mark.parametrize(
    ("text", "most", "match", "expected"),
    [
        ([5, 6, 7, 8, 9, 5, 6, 7], 8, 2, [8, 9, 5, 6, 7]),
        ([5, 6, 7, 8, 9, 5, 6, 7], 1, 2, [8]),
        ([5, 6, 8, 5, 6, 9, 5, 6], 1, 2, [9]),  # the later of equals
        ([4, 5, 6, 8, 5, 6, 9, 4, 5, 6], 1, 2, [8]),  # the longer before the later
        ([7, 7, 7], 4, 1, [7]),
        ([5, 6, 7, 6], 4, 2, []),
        ([5], 4, 1, []),
        ([], 4, 1, []),
    ],
)
def test_what_followed_the_same_ids_is_proposed(text, most, match, expected):
    assert expected == look_up(text, most, match)


def test_sentinels_are_neither_looked_for_nor_proposed():
    drafter = Drafter(Drafting(4, 2), SENTINELS)
    drafter.add([1, 20, 21, 2, 5, 6, 7, 8, 5, 6, 3])
    assert [7, 8, 5, 6] == drafter.propose(9)

    drafter.add([7])
    assert [8, 5] == drafter.propose(2)


def test_a_further_source_is_asked_where_the_text_has_nothing():
    asked = []

    def source(text):
        asked.append(list(text))
        return [8, 0, 9, 10, 11, 12]

    drafter = Drafter(Drafting(4, 2), SENTINELS, source)
    drafter.add([1, 5, 6, 3])
    assert [8, 9, 10] == drafter.propose(4)
    assert [[5, 6]] == asked
    drafter.add([5, 6])
    assert [5, 6] == drafter.propose(4)
    assert 1 == len(asked)


def test_nothing_is_proposed_for_an_answer_that_is_full():
    drafter = Drafter(Drafting(4, 1), SENTINELS)
    drafter.add([5, 5, 5])
    assert [] == drafter.propose(0)
