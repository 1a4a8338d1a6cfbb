"""A generation outlives its request for a moment: who may join it, and when it is stopped."""

import asyncio
from dataclasses import replace

import pytest

from fim_lsp.completion.cache import CacheKey
from fim_lsp.completion.in_flight import InFlightGeneration, InFlightGenerations

THEN = CacheKey("file:///a.py", "x = ", "\n", context_key="settings")


async def flying(
    flights: InFlightGenerations, text: str, seen: CacheKey = THEN, **options: bool
) -> InFlightGeneration:
    """A generation that has written a text and does not end by itself."""
    flight = flights.start(InFlightGeneration(seen, **options), asyncio.Event().wait)
    flight.enter()
    if text:
        flight.wrote(text)
    return flight


def typing(typed: str) -> CacheKey:
    return replace(THEN, prefix=THEN.prefix + typed)


@pytest.mark.parametrize(
    ("text", "now", "joins"),
    [
        ("value", typing("val"), True),
        ("val", typing("value"), True),
        ("value", typing("w"), False),
        ("", typing("v"), False),
        ("", typing(""), True),
        ("value", replace(THEN, prefix="x ="), False),
        ("value", replace(THEN, suffix="\n\n"), False),
        ("value", replace(THEN, context_key="other settings"), False),
    ],
    ids=[
        "about to be written", "typed faster", "parted", "nothing written", "the same place",
        "deleted", "edited below", "other settings",
    ],
)  # fmt: skip
async def test_a_request_joins_what_writes_what_was_typed_and_else_ends_it(text, now, joins):
    flights = InFlightGenerations()
    flight = await flying(flights, text)

    assert (flight if joins else None) is flights.join(now)
    assert joins is not flight.cancel.is_set()
    flight.work.cancel()


async def test_a_text_that_parts_from_what_was_typed_stops():
    flights = InFlightGenerations()
    flight = await flying(flights, "re")
    flights.join(typing("ret"))
    flight.wrote("ret")
    assert not flight.cancel.is_set()
    flight.wrote("rest")

    assert flight.cancel.is_set()
    flight.work.cancel()


async def test_what_nobody_may_join_ends_with_its_request():
    flight = await flying(InFlightGenerations(), "value", is_joinable=False)
    flight.leave()

    assert flight.cancel.is_set()
    flight.work.cancel()


async def test_before_it_writes_a_generation_ends_with_its_request():
    flight = await flying(InFlightGenerations(), "")
    flight.leave()

    assert flight.cancel.is_set()
    flight.work.cancel()


async def test_nobody_comes_and_it_ends_after_a_moment():
    flight = await flying(InFlightGenerations(), "value")
    flight.leave()
    assert not flight.cancel.is_set()

    assert await asyncio.to_thread(flight.cancel.wait, 20)
    flight.work.cancel()


@pytest.mark.parametrize("order", [("enter", "leave"), ("leave", "enter")])
async def test_who_joins_keeps_it_from_ending(order):
    """The older request may notice that it is over before the newer one comes, or after."""
    flights = InFlightGenerations()
    flight = await flying(flights, "value")
    assert flights.join(typing("v")) is flight
    for step in order:
        getattr(flight, step)()

    assert flight._landing is None
    assert not flight.cancel.is_set()
    flight.work.cancel()


async def test_each_document_has_its_own():
    flights = InFlightGenerations()
    one, other = [await flying(flights, "v", replace(THEN, uri=uri)) for uri in ("a", "b")]
    flights.stop("a")

    assert [True, False] == [flight.cancel.is_set() for flight in (one, other)]
    one.work.cancel()
    other.work.cancel()


async def test_one_that_has_ended_is_not_joined():
    flights = InFlightGenerations()

    async def work() -> int:
        return 1

    flight = flights.start(InFlightGeneration(THEN), work)
    assert 1 == await flight.work
    await asyncio.sleep(0)

    assert flights.join(THEN) is None
