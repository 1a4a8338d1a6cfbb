"""Typing through a suggestion needs no model; anything else that changed does."""

from dataclasses import replace

import pytest

from fim_lsp.completion.cache import CacheKey, TypeThroughCache
from fim_lsp.suggestion import Completion

THEN = CacheKey("file:///a.py", "x = ", "\ny\n", context_key=("settings", "model"))
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
        replace(THEN, context_key=("settings", "another model")),
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


@pytest.mark.parametrize(
    ("places", "rest"),
    [
        (["value", "val"], "ue + 1"),
        (["val", "vax", "va"], "lue + 1"),
        (["value + ", ""], "value + 1"),
        (["vax", "value + "], "1"),
    ],
    ids=["back", "a slip", "all the way back", "on after a slip"],
)
def test_deleting_and_typing_on_finds_the_suggestion_again(cache, places, rest):
    found = [cache.lookup(replace(THEN, prefix=THEN.prefix + typed)) for typed in places]

    assert rest == found[-1][0].text


def test_places_that_were_answered_on_the_way_are_all_kept(cache):
    """Another letter, deleted, and yet another one: all three places are remembered."""
    for letter in "ab":
        cache.store(
            replace(THEN, prefix=f"x = {letter}"),
            [replace(SHOWN, text=f"-{letter}", start=5, end=5)],
        )

    assert ["-a", "-b", "value + 1"] == [
        cache.lookup(replace(THEN, prefix=prefix))[0].text for prefix in ("x = a", "x = b", "x = ")
    ]


@pytest.mark.parametrize("accepted", ["value", "value +", "value + 1"[:8]])
def test_a_word_that_is_accepted_leaves_the_rest(cache, accepted):
    (rest,) = cache.lookup(replace(THEN, prefix=THEN.prefix + accepted))

    assert "value + 1" == accepted + rest.text
    assert SHOWN.id == rest.id


def test_large_documents_leave_room_for_fewer_entries():
    cache = TypeThroughCache(characters=250)
    for number in range(3):
        cache.store(replace(THEN, prefix=f"{number}" * 100, suffix=""), [SHOWN])

    found = [
        cache.lookup(replace(THEN, prefix=f"{number}" * 100, suffix="")) for number in range(3)
    ]
    assert [None, [SHOWN], [SHOWN]] == found


def test_one_entry_is_kept_however_large_its_document():
    cache = TypeThroughCache(characters=10)
    cache.store(replace(THEN, prefix="x" * 100), [SHOWN])

    assert [SHOWN] == cache.lookup(replace(THEN, prefix="x" * 100))
