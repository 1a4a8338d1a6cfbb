"""Suggestions before text that stands on the cursor's line."""

import pytest

from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from tests.fim_lsp.completion.test_provider import ask, last, ready

MISSING = " x > 0:\n            total += x\n    return"
GOES_ON = f"{MISSING} total\n\n\ndef other():\n    pass\n"
PLACE = "    for x in xs:\n        if| total\n\nprint()\n"


async def texts(answer: str, place: str, trigger: Trigger, **settings: object) -> list[str]:
    provider, _, host = await ready(answer)
    given = Settings(debounce_ms=0, candidates=1, max_new_tokens=64, **settings)
    found = await ask(provider, place, trigger, settings=given)
    host.close()
    return [completion.text for completion in found]


async def test_who_asks_gets_all_that_is_missing_before_the_rest_of_the_line():
    """Also of a model that goes on with the document behind it."""
    found = await texts(GOES_ON, PLACE, Trigger.INVOKED)

    assert [MISSING] == found


async def test_a_model_that_ends_there_by_itself_is_believed():
    found = await texts(MISSING, PLACE, Trigger.INVOKED)

    assert [MISSING] == found


@pytest.mark.parametrize(
    ("trigger", "settings"),
    [(Trigger.AUTOMATIC, {}), (Trigger.INVOKED, {"multiline": "never"})],
    ids=["typing", "one line"],
)
async def test_there_is_no_more_than_a_line_for(trigger, settings):
    assert [" x > 0:"] == await texts(GOES_ON, PLACE, trigger, **settings)


async def test_a_text_that_does_not_lead_there_is_its_first_line():
    found = await texts(" x:\n        total += x\n" * 9, PLACE, Trigger.INVOKED)

    assert [" x:"] == found


async def test_the_trace_says_that_the_text_has_come_to_the_rest_of_the_line():
    provider, _, host = await ready(GOES_ON)
    await ask(provider, PLACE, Trigger.INVOKED)

    assert "joined" == last(provider).generation.decoding.finish
    host.close()
