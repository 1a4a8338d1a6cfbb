"""Suggestions where a whole block is wanted."""

import pytest

from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from tests.fim_lsp.completion.test_provider import ask, last, ready

BODY = "total = 0\n\n    for x in xs:\n        total += x\n\n    return total"
GOES_ON = f"{BODY}\n\n\ndef other():\n    pass\n"
PLACE = "def add(xs):\n    |\n\n\nprint()\n"


async def texts(answer: str, place: str, trigger: Trigger, **settings: object) -> list[str]:
    provider, _, host = await ready(answer)
    given = {"debounce_ms": 0, "candidates": 1, "max_new_tokens": 64, **settings}
    found = await ask(provider, place, trigger, settings=Settings(**given))
    host.close()
    return [completion.text for completion in found]


@pytest.mark.parametrize("trigger", Trigger)
@pytest.mark.parametrize("opening", ["", '"""Adds."""\n    '], ids=["empty", "behind a docstring"])
async def test_a_block_comes_whole_over_blank_lines(trigger, opening):
    place = PLACE.replace("|", f"{opening}|")

    assert [BODY] == await texts(GOES_ON, place, trigger)


async def test_a_block_comes_behind_its_head():
    assert [f"\n    {BODY}"] == await texts(
        f"\n    {GOES_ON}", "def add(xs):|\n\n\nprint()\n", Trigger.INVOKED
    )


async def test_a_block_that_is_begun_already_goes_on_as_before():
    found = await texts("a()\n\n    b()\n", "def f():\n    c()\n    |\n", Trigger.INVOKED)

    assert ["a()"] == found


async def test_a_block_that_stands_below_is_not_written_again():
    place = f"def add(xs):\n    |\n\n\ndef other(xs):\n    {BODY}\n"

    assert ["total = 0"] == await texts(GOES_ON, place, Trigger.INVOKED)


async def test_who_asks_gets_twice_the_tokens_for_a_block():
    long = "\n    ".join(f"call_{number}(xs)" for number in range(30))
    kwargs = {"max_new_tokens": 24}
    block = await texts(long, PLACE, Trigger.INVOKED, **kwargs)
    typed = await texts(long, PLACE, Trigger.AUTOMATIC, **kwargs)
    other = await texts(long, PLACE.replace("|", "xs = 0\n    |"), Trigger.INVOKED, **kwargs)

    assert typed == other
    assert len(block[0].split("\n")) > 1.5 * len(typed[0].split("\n"))
    assert block[0].startswith(typed[0])


async def test_the_trace_says_that_the_block_is_whole():
    provider, _, host = await ready(GOES_ON)
    await ask(provider, PLACE, Trigger.INVOKED, settings=Settings(max_new_tokens=64))

    assert "block" == last(provider).generation.decoding.finish
    host.close()
