"""The path of a completion, with the scripted engine: who is answered what, and why."""

import asyncio
import logging
from dataclasses import replace
from itertools import cycle

import pytest

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.idle_budget import IdleBudget
from fim_lsp.settings import Settings
from fim_lsp.suggestion import SelectedSuggestion, Trigger
from model_runtime.served_model import ServedModel
from tests.support.scripted_host import scripted_model

NO_PAUSE = Settings(debounce_ms=0)


def snapshot(
    text: str, uri: str = "file:///a.py", version: int = 1, **more: object
) -> DocumentSnapshot:
    before, _, after = text.partition("|")
    return DocumentSnapshot(uri, "python", version, before + after, len(before), **more)


async def ready(
    answer: str, idle_budget: IdleBudget | None = None, **options: object
) -> tuple[CompletionProvider, ServedModel, ModelHost]:
    model = scripted_model(answer, **options)
    host = ModelHost(lambda settings: model, idle_budget)
    await host.ready(NO_PAUSE)
    return CompletionProvider(host), model, host


async def ask(
    provider: CompletionProvider, text: str, trigger: Trigger = Trigger.AUTOMATIC, **more: object
):
    settings = more.pop("settings", NO_PAUSE)
    return await provider.complete(CompletionRequest(snapshot(text), trigger, settings, **more))


async def test_a_completion_stands_at_the_cursor():
    provider, _, host = await ready("a + b")
    (completion,) = await ask(provider, "x = |\n")

    assert ("a + b", 4, 4) == (completion.text, completion.start, completion.end)
    assert "shown" == provider.explain()[0]["outcome"]
    assert "model" == provider.explain()[0]["source"]
    host.close()


async def test_typing_through_asks_no_model():
    provider, model, host = await ready("a + b")
    await ask(provider, "x = |\n")
    (completion,) = await ask(provider, "x = a |\n")

    assert "+ b" == completion.text
    assert 1 == len(model.engine.prompts)
    assert "cache" == provider.explain()[0]["source"]
    host.close()


async def test_an_auto_closed_bracket_is_replaced_and_hidden_from_the_model():
    provider, _, host = await ready("a, b):\n    return a + b")
    (completion,) = await ask(provider, "def add(|)")

    assert ("a, b):\n    return a + b", 8, 9) == (completion.text, completion.start, completion.end)
    host.close()


async def test_the_newer_request_is_answered_and_the_older_one_gets_nothing():
    provider, _, host = await ready("a + b", token_seconds=0.05)
    older = asyncio.ensure_future(ask(provider, "x = |\n"))
    await asyncio.sleep(0.02)
    newer = await ask(provider, "y = |\n")

    assert await older is None
    assert "a + b" == newer[0].text
    assert ["shown", "superseded"] == [told["outcome"] for told in provider.explain()]
    host.close()


async def test_a_changed_document_supersedes_its_request():
    provider, _, host = await ready("a + b", token_seconds=1)
    waiting = asyncio.ensure_future(ask(provider, "x = |\n"))
    await asyncio.sleep(0.02)
    provider.document_changed("file:///a.py")

    assert await asyncio.wait_for(waiting, 1) is None
    host.close()


async def test_a_cancelled_request_stops_the_engine():
    provider, _, host = await ready("a + b + c + d + e", token_seconds=0.05)
    waiting = asyncio.ensure_future(ask(provider, "x = |\n"))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    # The engine's thread is free: another request is answered.
    assert await ask(provider, "y = |\n")
    assert "cancelled" == provider.explain()[1]["outcome"]
    host.close()


async def test_requests_wait_for_a_pause_in_the_typing():
    provider, model, host = await ready("a + b")
    settings = Settings(debounce_ms=20)
    typed = [
        asyncio.ensure_future(ask(provider, f"x = {'b' * number}|\n", settings=settings))
        for number in range(5)
    ]
    answers = await asyncio.gather(*typed)

    assert [None] * 4 == answers[:4]
    assert answers[4]
    assert 1 == len(model.engine.prompts)
    host.close()


async def test_invoked_gives_several_different_ones_best_first():
    answers = iter(["a + b", "a + b", "a - b", "a * b"])
    provider, _, host = await ready(lambda prompt: next(answers, "zzz"))
    found = await ask(provider, "x = |\n", Trigger.INVOKED)

    assert ["a + b", "a - b", "a * b"] == [completion.text for completion in found]
    host.close()


async def test_the_selected_entry_of_the_popup_comes_first_in_the_text():
    provider, model, host = await ready("(value)")
    (completion,) = await ask(
        provider, "x = pri|\n", selected=SelectedSuggestion(start=4, end=7, text="print")
    )

    assert ("print(value)", 4, 7) == (completion.text, completion.start, completion.end)
    assert "x = print" in model.tokenizer.decode(model.engine.prompts[-1])
    host.close()


POPUP = SelectedSuggestion(start=6, end=7, text="findProduct")


@pytest.mark.parametrize("trigger", list(Trigger))
@pytest.mark.parametrize("entry", ["findProduct", "forEach", "fzzzUnlikely", "for"])
@pytest.mark.parametrize("answer", ["", "  ", "\n"])
async def test_an_entry_of_the_popup_alone_is_no_suggestion(answer, entry, trigger):
    provider, _, host = await ready(answer)
    found = await ask(provider, "users.f|\n", trigger, selected=replace(POPUP, text=entry))

    assert [] == found
    told = provider.explain()[0]
    assert "nothing" == told["outcome"]
    assert told["reason"].startswith("filtered")
    host.close()


@pytest.mark.parametrize(
    ("answer", "logprob", "reason"),
    [("(name)", -5.0, "too unsure"), ("()", 0.0, "too short")],
)
async def test_with_the_popup_open_typing_shows_no_more_than_without(answer, logprob, reason):
    """What is doubtful or hardly worth a key is so behind an entry, too."""
    provider, _, host = await ready(answer, logprob=logprob)

    assert [] == await ask(provider, "users.f|\n", selected=POPUP)
    assert provider.explain()[0]["reason"].startswith(reason)
    (asked,) = await ask(provider, "users.f|\n", Trigger.INVOKED, selected=POPUP)
    assert f"findProduct{answer}" == asked.text
    host.close()


async def test_a_closer_behind_the_popups_entry_is_replaced():
    provider, _, host = await ready("(name)):\n    pass")
    (found,) = await ask(
        provider, "if all(users.f|)", selected=SelectedSuggestion(13, 14, "findProduct")
    )

    assert ("findProduct(name)):\n    pass", 13, 15) == (found.text, found.start, found.end)
    host.close()


async def several() -> tuple[list[str], CompletionProvider, ModelHost]:
    """A user has asked at `x = |` and was given these, best first."""
    answers = cycle(["alpha + b", "alpine - b", "gamma * b"])
    provider, _, host = await ready(lambda prompt: next(answers))
    given = await ask(provider, "x = |\n", Trigger.INVOKED)
    return [completion.text for completion in given], provider, host


@pytest.mark.parametrize("typed", ["", "al", "alpi", "gamma"])
async def test_typing_gets_one_suggestion_where_the_user_was_given_several(typed):
    given, provider, host = await several()
    assert 3 == len(given)
    (found,) = await ask(provider, f"x = {typed}|\n")

    assert "cache" == provider.explain()[0]["source"]
    assert next(text for text in given if text.startswith(typed)) == typed + found.text
    host.close()


async def test_who_asks_again_is_given_several_again():
    given, provider, host = await several()
    assert 1 == len(await ask(provider, "x = |\n"))
    again = await ask(provider, "x = |\n", Trigger.INVOKED)

    assert len(given) == len(again)
    host.close()


@pytest.mark.parametrize(
    ("settings", "uri", "reason"),
    [
        (Settings(enabled=False), "file:///a.py", "disabled"),
        (Settings(languages=(("python", False),)), "file:///a.py", "language: python"),
        (Settings(), "file:///project/.env", "excluded"),
        (Settings(), "file:///home/me/.ssh/id_rsa", "excluded"),
        (Settings(exclude=("**/generated/**",)), "file:///p/generated/a.py", "excluded"),
    ],
)
async def test_silence_has_a_reason_and_a_remedy(settings, uri, reason):
    provider, model, host = await ready("a + b")
    answer = await provider.complete(
        CompletionRequest(snapshot("x = |", uri), Trigger.INVOKED, settings)
    )

    assert [] == answer
    told = provider.explain()[0]
    assert told["reason"].startswith(reason)
    assert told["remedy"]
    assert 0 == len(model.engine.prompts)
    host.close()


async def test_before_the_model_is_loaded_the_answer_is_empty_at_once():
    host = ModelHost(lambda settings: (_ for _ in ()).throw(AssertionError("not asked for")))
    provider = CompletionProvider(host)

    assert [] == await ask(provider, "x = |")
    assert "loading" == provider.explain()[0]["reason"]
    host.close()


async def test_an_engine_that_breaks_is_a_quiet_empty_answer(caplog):
    def broken(prompt):
        raise RuntimeError("kernel on fire")

    provider, _, host = await ready(broken)
    with caplog.at_level(logging.ERROR):
        assert [] == await ask(provider, "x = |\n")

    assert "failed" == provider.explain()[0]["outcome"]
    assert "kernel on fire" in caplog.text
    host.close()


async def test_unsure_text_is_shown_only_when_asked_for():
    provider, _, host = await ready("a + b", logprob=-5.0)

    assert [] == await ask(provider, "x = |\n")
    assert provider.explain()[0]["reason"].startswith("too unsure")
    assert await ask(provider, "x = |\n", Trigger.INVOKED)
    host.close()


async def test_line_ends_of_windows_are_invisible_to_the_model():
    provider, model, host = await ready("a + b")
    await ask(provider, "def f():\r\n    x = |\r\n    return x\r\n")

    assert "\r" not in model.tokenizer.decode(model.engine.prompts[-1])
    host.close()


async def test_other_documents_reach_the_prompt_only_when_wanted():
    provider, model, host = await ready("a + b")
    others = lambda: [snapshot("value = compute_total()\n|", "file:///b.py", path="b.py")]  # noqa: E731
    prompts = {}
    for is_wanted in (True, False):
        settings = Settings(debounce_ms=0, cross_file_context=is_wanted)
        await ask(provider, "compute_total = 1\nx = |\n", other_documents=others, settings=settings)
        prompts[is_wanted] = model.tokenizer.decode(model.engine.prompts[-1])

    assert "b.py" in prompts[True]
    assert "b.py" not in prompts[False]
    host.close()


async def test_the_log_has_one_line_per_completion_and_no_code(caplog):
    provider, _, host = await ready("a + b")
    with caplog.at_level(logging.INFO, logger="fim_lsp.completion.provider"):
        await ask(provider, "top_secret_name = |\n")

    assert 1 == len(caplog.records)
    assert "top_secret_name" not in caplog.text
    assert "total=" in caplog.text
    host.close()


LONG = "alpha_one + alpha_two + alpha_three + alpha_four + alpha_five + alpha_six"


async def until(is_so) -> None:
    """Until the program says so."""

    async def waiting() -> None:
        while not is_so():
            await asyncio.sleep(0.002)

    await asyncio.wait_for(waiting(), 20)


async def begun(provider: CompletionProvider, model: ServedModel, text: str, tokens: int = 2):
    """A request whose answer is being written, and then the edit that follows it."""
    request = asyncio.ensure_future(ask(provider, text))
    await until(lambda: model.engine.tokens_decoded >= tokens)
    provider.document_changed("file:///a.py")
    return request


async def test_typing_what_is_being_written_does_not_start_anew():
    provider, model, host = await ready(LONG, token_seconds=0.02, logprob=-0.01)
    older = await begun(provider, model, "x = |\n")
    newer = await ask(provider, "x = al|\n")

    assert await older is None
    assert LONG[2:] == newer[0].text
    assert 1 == len(model.engine.prompts)
    told = provider.explain()[0]
    assert ("shown", "running", 4) == (told["outcome"], told["source"], newer[0].start - 2)
    assert told["newTokens"] == model.engine.tokens_decoded
    host.close()


async def test_typing_something_else_starts_anew_and_stops_what_was_written():
    provider, model, host = await ready(LONG, token_seconds=0.02)
    older = await begun(provider, model, "x = |\n")
    decoded = model.engine.tokens_decoded
    await ask(provider, "x = be|\n")

    assert await older is None
    assert 2 == len(model.engine.prompts)
    whole = provider.explain()[0]["newTokens"]
    assert model.engine.tokens_decoded - whole <= decoded + 1
    host.close()


async def test_a_text_that_parts_later_starts_anew():
    provider, model, host = await ready(LONG, token_seconds=0.02)
    older = await begun(provider, model, "x = |\n", tokens=1)
    newer = await ask(provider, "x = alpha_one - |\n")

    assert await older is None
    assert newer is not None
    assert 2 == len(model.engine.prompts)
    assert "model" == provider.explain()[0]["source"]
    host.close()


async def test_a_prefill_is_interrupted_when_its_request_is_overtaken():
    provider, model, host = await ready(LONG, prefill_seconds=600)
    older = asyncio.ensure_future(ask(provider, "x = |\n"))
    await until(lambda: model.engine.prompts)
    provider.document_changed("file:///a.py")
    model.engine.prefill_seconds = 0

    assert await older is None
    assert await ask(provider, "x = a|\n")
    host.close()


async def test_without_another_request_the_model_soon_stops():
    provider, model, host = await ready(LONG, token_seconds=0.2)
    older = await begun(provider, model, "x = |\n")

    assert await older is None
    assert "free" == await host.run(lambda model: "free")
    assert model.engine.tokens_decoded < 12 < len(model.tokenizer.encode(LONG))
    host.close()


async def test_what_follows_an_accepted_suggestion_is_prepared_and_not_shown():
    provider, model, host = await ready("a + b")
    (completion,) = await ask(provider, "x = |\n")
    provider.accepted(completion.id)
    await until(lambda: 2 == len(model.engine.prompts) and not provider._in_flight._generations)
    assert 1 == len(provider.explain())

    (following,) = await ask(provider, "x = a + b|\n")
    assert 2 == len(model.engine.prompts)
    told = provider.explain()[0]
    assert ("cache", True) == (told["source"], told["prepared"])
    assert following.start == 9
    host.close()


async def test_line_ends_of_windows_are_in_what_is_prepared():
    provider, model, host = await ready("a(\n        b)")
    (completion,) = await ask(provider, "def f():\r\n    x = |\r\n    return x\r\n")
    provider.accepted(completion.id)
    await until(lambda: 2 == len(model.engine.prompts) and not provider._in_flight._generations)
    await ask(provider, "def f():\r\n    x = a(\r\n        b)|\r\n    return x\r\n")

    assert 2 == len(model.engine.prompts)
    host.close()


async def test_a_request_stops_what_is_being_prepared():
    provider, model, host = await ready("a + b")
    (completion,) = await ask(provider, "x = |\n")
    model.engine.prefill_seconds = 600
    provider.accepted(completion.id)
    await until(lambda: 2 == len(model.engine.prompts))
    model.engine.prefill_seconds = 0

    assert await ask(provider, "y = |\n")
    host.close()


async def test_another_editors_request_stops_it_too():
    provider, model, host = await ready("a + b")
    (completion,) = await ask(provider, "x = |\n")
    model.engine.prefill_seconds = 600
    provider.accepted(completion.id)
    await until(lambda: 2 == len(model.engine.prompts))
    model.engine.prefill_seconds = 0

    assert await ask(CompletionProvider(host), "y = |\n")
    host.close()


async def test_a_request_for_the_place_that_is_being_prepared_waits_for_it():
    provider, model, host = await ready("a + b")
    (completion,) = await ask(provider, "x = |\n")
    model.engine.token_seconds = 0.02
    provider.accepted(completion.id)

    assert await ask(provider, "x = a + b|\n")
    assert 2 == len(model.engine.prompts)
    assert "running" == provider.explain()[0]["source"]
    host.close()


async def test_after_a_pause_the_model_has_read_up_to_the_cursor():
    """So the next key, which no suggestion fits, costs its own tokens."""
    provider, model, host = await ready("value_of(one) + other")
    text = "import os\n\n" + "value = 1\n" * 40 + "x = |\n"
    await ask(provider, text)
    typed = text.replace("|", "value_of(|")
    await ask(provider, typed)
    assert "cache" == provider.explain()[0]["source"]
    await until(lambda: 2 == len(model.engine.prompts))
    assert model.engine.tokens_decoded > 1

    await ask(provider, typed.replace("|", "two|"))
    told = provider.explain()[0]
    assert "model" == told["source"]
    assert told["promptTokens"] - told["cachedTokens"] <= 3
    host.close()


async def test_all_idle_work_is_switched_off_by_one_setting():
    provider, model, host = await ready("a + b")
    settings = Settings(debounce_ms=0, idle_work=False)
    (completion,) = await ask(provider, "x = |\n", settings=settings)
    provider.accepted(completion.id)
    provider.schedule_idle_prefill(lambda: snapshot("y = |\n"), settings, tuple)

    assert not provider._in_flight._generations
    assert provider._idle._timer is None
    assert 1 == len(model.engine.prompts)
    host.close()


async def test_without_budget_nothing_is_prepared():
    budget = IdleBudget(clock=lambda: 0)
    budget.spend(1e6)
    provider, model, host = await ready("a + b", budget)
    (completion,) = await ask(provider, "x = |\n")
    provider.accepted(completion.id)
    await until(lambda: not provider._in_flight._generations)

    assert 1 == len(model.engine.prompts)
    assert await ask(provider, "x = a + b|\n")
    host.close()


async def test_after_the_time_limit_what_is_whole_is_shown():
    provider, _, host = await ready("alpha beta gamma delta", token_seconds=0.05)
    limited = Settings(debounce_ms=0, time_limit_ms=1)
    (completion,) = await ask(provider, "x = |\n", settings=limited)

    assert "alpha" == completion.text
    assert "time limit" == provider.explain()[0]["finish"]
    (whole, *_) = await ask(provider, "y = |\n", Trigger.INVOKED, settings=limited)
    assert "alpha beta gamma delta" == whole.text
    host.close()


@pytest.mark.parametrize("debounce_ms", ["auto", 5])
async def test_the_wait_is_the_users_word_or_learnt_and_then_told(debounce_ms):
    provider, _, host = await ready("a + b")
    settings = Settings(debounce_ms=debounce_ms)
    for number in range(14):
        provider.document_changed("file:///a.py")
        if number in (0, 5, 10, 13):
            await ask(provider, f"x{number} = |\n", settings=settings)
    told = provider.explain()[0]

    assert ("auto" == debounce_ms) is ("waitMs" in told)
    assert ("auto" == debounce_ms) is ("keyGapMs" in told and "answerMs" in told)
    host.close()


async def test_an_editor_is_told_only_of_tokens_that_its_own_requests_left():
    """The engine is everybody's; what it holds of others would be known to who guesses it."""
    first, model, host = await ready("a + b")
    second = CompletionProvider(host)
    text = "password = 'Tr0ub4dor&3'\nx = |\n"
    await ask(first, text, Trigger.INVOKED)
    await ask(second, text, Trigger.INVOKED)
    told = second.explain()[0]
    assert 0 == told["cachedTokens"]
    assert 0 == told["candidates"][0]["cachedTokens"]

    await ask(second, text, Trigger.INVOKED)
    told = second.explain()[0]
    assert told["promptTokens"] - told["cachedTokens"] <= 1
    assert len(model.engine.prompts) > 2
    host.close()
