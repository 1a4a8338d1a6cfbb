"""PackedRows hold whole examples and nothing else but padding behind them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.training.packing import join, pack

LISTS = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=20), max_size=60)


@given(LISTS, st.integers())
def test_every_example_lies_whole_in_one_row(sequences: list[list[int]], seed: int):
    rows = pack(sequences, 20, 0, random.Random(seed))
    found = []
    for line, lengths in zip(rows.ids_RT.tolist(), rows.lengths, strict=True):
        at = 0
        for length in lengths:
            found.append(line[at : at + length])
            at += length
        assert [0] * (20 - at) == line[at:]

    assert sorted(sequences) == sorted(found)


def test_neighbours_keep_their_ends_apart():
    """[END, END] stays two tokens wherever documents meet."""
    rows = pack([[7, 5], [7], [7, 5, 7]], 6, 0, random.Random(0))

    assert sorted([2, 1, 3]) == sorted(length for lengths in rows.lengths for length in lengths)
    assert (rows.ids_RT == 7).sum() == 4


def test_rows_of_code_are_almost_full():
    rng = random.Random(0)
    rows = pack([[1] * rng.randint(50, 500) for _ in range(500)], 1024, 0, rng)

    assert (rows.ids_RT != 0).mean() > 0.98


def test_a_sequence_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        pack([[1] * 21], 20, 0, random.Random(0))


def test_rows_can_be_taken_apart_and_joined():
    rows = pack([[i] * 7 for i in range(1, 10)], 10, 0, random.Random(0))
    again = join([rows.take(0, 2), rows.take(2, 9)])

    assert rows.ids_RT.tolist() == again.ids_RT.tolist()
    assert rows.lengths == again.lengths
