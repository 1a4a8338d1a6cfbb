"""A generation outlives its request for a moment: who may join it, and when it is stopped."""

import asyncio
from dataclasses import replace

import pytest

from fim_lsp.completion.cache import CacheKey
from fim_lsp.completion.in_flight import InFlightGeneration, InFlightGenerations
from fim_lsp.completion.pending import PendingRequests, Superseded
from fim_lsp.completion.trace import GenerationResult, GenerationTrace
from fim_lsp.suggestion import Completion

RESULT = GenerationResult((Completion("1", "value", 4, 4, -0.1),), GenerationTrace())
THEN = CacheKey("file:///a.py", "x = ", "\n", context_key="settings")


class Waiting:
    """A request that waits for a generation, and is superseded when a test says so."""

    def __init__(self, generation: InFlightGeneration) -> None:
        self._pending = PendingRequests().begin("file:///a.py")
        self._result = asyncio.ensure_future(generation.result(self._pending))

    async def leave(self) -> None:
        self._pending.supersede()
        with pytest.raises(Superseded):
            await self._result


async def endless(generation: InFlightGeneration) -> GenerationResult:
    """Work that goes on until it is told to stop."""
    while not generation.cancel.is_set():
        await asyncio.sleep(0.001)
    return RESULT


async def begun(
    generations: InFlightGenerations, text: str, key: CacheKey = THEN, **options: bool
) -> tuple[InFlightGeneration, Waiting]:
    """A generation that has written a text and goes on, and the request that waits for it."""
    generation = generations.start(key, endless, **options)
    waiting = Waiting(generation)
    await asyncio.sleep(0)
    if text:
        generation.on_text(text)
    return generation, waiting


async def ended(generation: InFlightGeneration) -> GenerationResult:
    """Work that is done at once."""
    return RESULT


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
    generations = InFlightGenerations()
    generation, _ = await begun(generations, text)

    assert (generation if joins else None) is generations.join(now)
    assert joins is not generation.cancel.is_set()
    generation.cancel.set()


async def test_a_text_that_parts_from_what_was_typed_stops():
    generations = InFlightGenerations()
    generation, _ = await begun(generations, "re")
    generations.join(typing("ret"))
    generation.on_text("ret")
    assert not generation.cancel.is_set()
    generation.on_text("rest")

    assert generation.cancel.is_set()


async def test_what_nobody_may_join_ends_with_its_request():
    generation, waiting = await begun(InFlightGenerations(), "value", is_joinable=False)
    await waiting.leave()

    assert generation.cancel.is_set()


async def test_before_it_writes_a_generation_ends_with_its_request():
    generation, waiting = await begun(InFlightGenerations(), "")
    await waiting.leave()

    assert generation.cancel.is_set()


async def test_nobody_comes_and_it_ends_after_a_moment():
    generation, waiting = await begun(InFlightGenerations(), "value")
    await waiting.leave()
    assert not generation.cancel.is_set()

    assert await asyncio.to_thread(generation.cancel.wait, 20)


@pytest.mark.parametrize("is_early", [True, False])
async def test_who_joins_keeps_it_from_ending(is_early):
    """The older request may notice that it is over before the newer one comes, or after."""
    generations = InFlightGenerations(grace_seconds=0)
    generation, older = await begun(generations, "value")
    assert generations.join(typing("v")) is generation
    if is_early:
        Waiting(generation)
        await asyncio.sleep(0)
        await older.leave()
    else:
        leaving = asyncio.ensure_future(older.leave())
        Waiting(generation)
        await leaving
    await asyncio.sleep(0.01)  # a moment after which it would have ended

    assert not generation.cancel.is_set()
    generation.cancel.set()


async def test_each_document_has_its_own():
    generations = InFlightGenerations()
    one, other = [(await begun(generations, "v", replace(THEN, uri=uri)))[0] for uri in ("a", "b")]
    generations.stop("a")

    assert [True, False] == [generation.cancel.is_set() for generation in (one, other)]
    other.cancel.set()


async def test_one_that_has_ended_is_not_joined():
    generations = InFlightGenerations()
    generation = generations.start(THEN, ended)
    with PendingRequests().begin("a") as pending:
        assert RESULT == await generation.result(pending)

    assert generations.join(THEN) is None
    assert not generations


@pytest.mark.parametrize(
    ("typed", "rest"), [("", "value"), ("val", "ue"), ("value", None), ("w", None)]
)
async def test_a_request_gets_what_is_left_of_the_result(typed, rest):
    generation = InFlightGenerations().start(THEN, ended)
    with PendingRequests().begin("a") as pending:
        found = await generation.result_for(typing(typed), pending)

    assert rest == (found and found.completions[0].text)


async def test_of_an_empty_result_it_is_known_that_nothing_comes_at_the_same_place_only():
    async def nothing(generation: InFlightGeneration) -> GenerationResult:
        return RESULT._replace(completions=())

    generation = InFlightGenerations().start(THEN, nothing)
    with PendingRequests().begin("a") as pending:
        same, other = [await generation.result_for(typing(text), pending) for text in ("", "v")]

    assert () == same.completions
    assert other is None


async def test_a_generation_that_fails_says_so_to_who_waits_and_else_to_nobody():
    async def fail(generation: InFlightGeneration) -> GenerationResult:
        raise RuntimeError("kernel on fire")

    generations = InFlightGenerations()
    with PendingRequests().begin("a") as pending, pytest.raises(RuntimeError):
        await generations.start(THEN, fail).result(pending)
    generations.start(THEN, fail)
    while generations:
        await asyncio.sleep(0)
