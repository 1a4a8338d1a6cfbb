"""Memory for what has been read of texts fits the machine, and the user's wish."""

import pytest

from model_runtime.engines.kept_budget import (
    TEXT_IDS,
    USUAL_BYTES,
    USUAL_TEXTS,
    kept_budget,
    usual_budget,
)

MB = 2**20
SMALL, LARGE = 12 * 1024, 120 * 1024
"""Bytes of an id in a model of 10 M weights, and in one of 7 G."""


@pytest.mark.parametrize("row_bytes", [SMALL, LARGE])
def test_where_memory_is_plentiful_any_model_keeps_several_texts(row_bytes, caplog):
    found = kept_budget(row_bytes, free=2**40)

    assert found == usual_budget(row_bytes)
    assert found >= USUAL_BYTES
    assert found >= USUAL_TEXTS * TEXT_IDS * row_bytes
    assert not caplog.messages


@pytest.mark.parametrize(
    ("wanted", "free_mb", "expected_mb"),
    [
        (None, 200, 50),
        (None, 0, 0),
        (10 * MB, 200, 10),
        (1000 * MB, 4000, 1000),
        (1000 * MB, 200, 100),
        (0, 0, 0),
    ],
)
def test_a_budget_leaves_most_of_what_is_free(wanted, free_mb, expected_mb, caplog):
    found = kept_budget(SMALL, wanted, free=free_mb * MB)

    assert expected_mb * MB == found
    asked = usual_budget(SMALL) if wanted is None else wanted
    assert (found < asked) == (len(caplog.messages) == 1)
    for message in caplog.messages:
        assert f"{asked // 10**6} MB" in message
        assert "close other programs" in message
