"""A slow model begins at a new place with the lines nearest to the cursor, and reads on in a pause."""

import asyncio

import pytest

from fim_lsp.completion.first_window import MAX_SHORT, MIN_TOKENS
from fim_lsp.completion.idle_work import IdleTimer
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from tests.support.scripted_host import scripted_model

SETTINGS = Settings(debounce_ms=0)
LINES = "".join(f"value_{number} = number({number})\n" for number in range(200))
SLOW, SLOWER, FAST = 0.002, 0.1, 0.0001
"""Seconds of an id."""


class Typist:
    """One who types in a long document, with a model that reads so fast."""

    def __init__(self, id_seconds, settings=SETTINGS):
        self.model = scripted_model("a + b", id_seconds=id_seconds)
        self.host = ModelHost(lambda settings: self.model)
        self.provider = CompletionProvider(self.host, idle_timer=IdleTimer(pause_seconds=0.01))
        self.settings = settings
        self.version = 1

    async def ask(self, typed, trigger=Trigger.AUTOMATIC, uri="file:///a.py"):
        """Returns the length of the prompt that the model got."""
        await self.host.ready(self.settings)
        self.version += 1
        before = f"{LINES}x = {typed}"
        snapshot = DocumentSnapshot(uri, "python", self.version, before + "\n", len(before))
        self.request = CompletionRequest(snapshot, trigger, self.settings)
        await self.provider.complete(self.request)
        return len(self.model.engine.prompts[-1])

    async def pause(self):
        """Lets the model do what it does in a pause."""
        number = len(self.model.engine.prompts)
        self.provider.document_changed("file:///a.py", lambda: self.request)
        async with asyncio.timeout(20):
            while len(self.model.engine.prompts) == number:
                await asyncio.sleep(0.002)


async def whole_prompt():
    return await Typist(FAST).ask("one")


@pytest.mark.parametrize(("id_seconds", "most"), [(SLOW, 125), (SLOWER, MIN_TOKENS)])
async def test_the_first_prompt_is_one_that_is_read_in_time(id_seconds, most):
    found = await Typist(id_seconds).ask("one")

    assert most // 2 < found <= most


@pytest.mark.parametrize("id_seconds", [0.0, FAST])
async def test_a_model_that_reads_fast_reads_all_at_once(id_seconds):
    assert await Typist(id_seconds).ask("one") > 600


async def test_who_asks_waits_for_the_whole_prompt():
    assert await whole_prompt() == await Typist(SLOW).ask("one", Trigger.INVOKED)


async def test_after_a_pause_the_whole_prompt_costs_its_new_ids_alone():
    typist = Typist(SLOW)
    short = await typist.ask("one")
    await typist.pause()

    assert short < await whole_prompt() <= await typist.ask("one + two") + 4


async def test_where_no_pause_comes_the_whole_prompt_is_read_at_last():
    typist = Typist(SLOW)
    found = [await typist.ask(f"one + {number}") for number in range(MAX_SHORT + 2)]

    assert max(found[:MAX_SHORT]) <= 125
    assert min(found[MAX_SHORT:]) > 600


async def test_another_document_begins_with_a_short_prompt_again():
    typist = Typist(SLOW)
    for number in range(MAX_SHORT):
        await typist.ask(f"one + {number}")

    assert await typist.ask("one", uri="file:///b.py") <= 125


async def test_a_window_that_is_short_by_the_settings_is_read_at_once():
    small = Settings(debounce_ms=0, context_tokens=120)

    assert await Typist(FAST, small).ask("one") == await Typist(SLOW, small).ask("one")
