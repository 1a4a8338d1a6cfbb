"""Typing through a suggestion needs no model; anything else that changed does."""

from dataclasses import replace

import pytest

from fim_lsp.cache import Seen, TypeThroughCache
from fim_lsp.completion import Completion

THEN = Seen("file:///a.py", "x = ", "\ny\n", surroundings=("settings", "model"))
SHOWN = Completion("id", "value + 1", start=4, end=4, mean_logprob=-0.1)


@pytest.fixture
def cache() -> TypeThroughCache:
    cache = TypeThroughCache()
    cache.store(THEN, [SHOWN])
    return cache


@pytest.mark.parametrize(
    ("typed", "rest"), [("", "value + 1"), ("v", "alue + 1"), ("value +", " 1"), ("value + ", "1")]
)
def test_typing_through_shows_the_rest(cache, typed, rest):
    now = replace(THEN, prefix=THEN.prefix + typed)

    assert [replace(SHOWN, text=rest, start=4 + len(typed), end=4 + len(typed))] == cache.lookup(
        now
    )


@pytest.mark.parametrize(
    "now",
    [
        replace(THEN, prefix="x = w"),
        replace(THEN, prefix="x = value + 1"),
        replace(THEN, prefix="x ="),
        replace(THEN, prefix="z = v"),
        replace(THEN, suffix="\nz\n"),
        replace(THEN, uri="file:///b.py"),
        replace(THEN, surroundings=("settings", "another model")),
    ],
    ids=["other text", "all of it", "deleted", "edited above", "below", "document", "model"],
)
def test_anything_else_asks_the_model(cache, now):
    assert cache.lookup(now) is None


def test_the_replaced_closers_stay_replaced(cache):
    cache.store(
        replace(THEN, prefix="f(", suffix=")\n"), [replace(SHOWN, text="a)", start=2, end=3)]
    )
    now = replace(THEN, prefix="f(a", suffix=")\n")

    assert [replace(SHOWN, text=")", start=3, end=4)] == cache.lookup(now)


def test_a_place_that_gave_nothing_is_not_asked_again_but_the_next_one_is(cache):
    cache.store(replace(THEN, prefix="z"), [])

    assert [] == cache.lookup(replace(THEN, prefix="z"))
    assert cache.lookup(replace(THEN, prefix="zz")) is None


def test_the_newest_of_two_that_fit_is_taken(cache):
    cache.store(replace(THEN, prefix="x = v"), [replace(SHOWN, text="ery", start=5, end=5)])

    assert "ry" == cache.lookup(replace(THEN, prefix="x = ve"))[0].text


def test_a_closed_document_is_forgotten(cache):
    cache.forget(THEN.uri)

    assert cache.lookup(THEN) is None


def test_the_cache_is_bounded():
    cache = TypeThroughCache(size=3)
    for number in range(10):
        cache.store(replace(THEN, prefix="x" * number), [SHOWN])

    assert cache.lookup(replace(THEN, prefix="x" * 6)) is None
    assert cache.lookup(replace(THEN, prefix="x" * 7)) is not None
