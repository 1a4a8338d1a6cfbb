"""The path of a completion, with the scripted engine: who is answered what, and why."""

import asyncio
import logging
from dataclasses import replace
from itertools import cycle

import pytest

from fim_lsp.completion.idle_work import IdleTimer
from fim_lsp.completion.in_flight import InFlightGenerations
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.reasons import Reason, RequestOutcome, hint
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.trace import AnsweredBy, RequestTrace
from fim_lsp.document import DocumentHandle, DocumentSnapshot
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
    answer: str,
    collaborators: dict[str, object] | None = None,
    idle_budget: IdleBudget | None = None,
    **options: object,
) -> tuple[CompletionProvider, ServedModel, ModelHost]:
    """A provider over a model that answers so; `collaborators` are the provider's own arguments."""
    model = scripted_model(answer, **options)
    host = ModelHost(lambda settings: model, idle_budget)
    await host.ready(NO_PAUSE)
    return CompletionProvider(host, **(collaborators or {})), model, host


def last(provider: CompletionProvider) -> RequestTrace:
    """Returns what the provider noted of its last request."""
    return provider.log.newest(limit=1)[0]


def num_read(trace: RequestTrace) -> int:
    """Tokens of the prompt that the engine had not read before."""
    generation = trace.generation
    return generation.prompt.prompt_tokens - generation.decoding.cached_tokens


async def ask(
    provider: CompletionProvider, text: str, trigger: Trigger = Trigger.AUTOMATIC, **more: object
):
    settings = more.pop("settings", NO_PAUSE)
    return await provider.complete(CompletionRequest(snapshot(text), trigger, settings, **more))


async def test_a_completion_stands_at_the_cursor():
    provider, _, host = await ready("a + b")
    (completion,) = await ask(provider, "x = |\n")

    assert ("a + b", 4, 4) == (completion.text, completion.start, completion.end)
    assert RequestOutcome.SHOWN is last(provider).outcome
    assert AnsweredBy.MODEL is last(provider).answered_by
    host.close()


async def test_the_time_of_a_completion_is_told_by_its_steps():
    """The way to the engine's thread and back is one of them."""
    provider, *_ = await ready("a + b")

    await ask(provider, "def add(a, b):\n    return |\n")

    steps = {"context", "prompt", "first token", "decode", "clean", "hand-over", "total"}
    assert steps <= set(last(provider).timings.ms)


async def test_typing_through_asks_no_model():
    provider, model, host = await ready("a + b")
    await ask(provider, "x = |\n")
    (completion,) = await ask(provider, "x = a |\n")

    assert "+ b" == completion.text
    assert 1 == len(model.engine.prompts)
    assert AnsweredBy.CACHE is last(provider).answered_by
    host.close()


async def test_an_auto_closed_bracket_is_replaced_and_hidden_from_the_model():
    provider, _, host = await ready("a, b):\n    return a + b")
    (completion,) = await ask(provider, "def add(|)")

    assert ("a, b):\n    return a + b", 8, 9) == (completion.text, completion.start, completion.end)
    host.close()


async def test_the_newer_request_is_answered_and_the_older_one_gets_nothing():
    provider, model, host = await ready("a + b", token_seconds=0.05)
    older = asyncio.ensure_future(ask(provider, "x = |\n"))
    await until(lambda: model.engine.prompts)
    newer = await ask(provider, "y = |\n")

    assert await older is None
    assert "a + b" == newer[0].text
    assert [RequestOutcome.SHOWN, RequestOutcome.SUPERSEDED] == [
        trace.outcome for trace in provider.log.newest()
    ]
    host.close()


async def test_a_changed_document_supersedes_its_request():
    provider, model, host = await ready("a + b", token_seconds=1)
    waiting = asyncio.ensure_future(ask(provider, "x = |\n"))
    await until(lambda: model.engine.prompts)
    provider.document_changed("file:///a.py")

    assert await asyncio.wait_for(waiting, 1) is None
    host.close()


async def test_a_pending_request_that_the_server_cancels_is_answered_null():
    provider, model, host = await ready("a + b", token_seconds=1)
    waiting = asyncio.ensure_future(ask(provider, "x = |\n"))
    await until(lambda: model.engine.prompts)
    provider.cancel("file:///a.py")

    assert await waiting is None
    assert RequestOutcome.SUPERSEDED is last(provider).outcome
    host.close()


async def test_a_cancelled_request_stops_the_engine():
    provider, model, host = await ready("a + b + c + d + e", token_seconds=0.05)
    waiting = asyncio.ensure_future(ask(provider, "x = |\n"))
    await until(lambda: model.engine.prompts)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    # The engine's thread is free: another request is answered.
    assert await ask(provider, "y = |\n")
    assert RequestOutcome.CANCELLED is provider.log.newest()[1].outcome
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
    trace = last(provider)
    assert RequestOutcome.NOTHING is trace.outcome
    assert Reason.FILTERED is trace.silence.reason
    host.close()


@pytest.mark.parametrize(
    ("answer", "logprob", "reason"),
    [("(name)", -5.0, Reason.LOW_CONFIDENCE), ("()", 0.0, Reason.TOO_SHORT)],
)
async def test_with_the_popup_open_typing_shows_no_more_than_without(answer, logprob, reason):
    """A suggestion that is doubtful or hardly worth a key is so behind an entry, too."""
    provider, _, host = await ready(answer, logprob=logprob)

    assert [] == await ask(provider, "users.f|\n", selected=POPUP)
    assert reason is last(provider).silence.reason
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

    assert AnsweredBy.CACHE is last(provider).answered_by
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
        (Settings(enabled=False), "file:///a.py", Reason.DISABLED),
        (Settings(languages=(("python", False),)), "file:///a.py", Reason.LANGUAGE_DISABLED),
        (Settings(), "file:///project/.env", Reason.EXCLUDED),
        (Settings(), "file:///home/me/.ssh/id_rsa", Reason.EXCLUDED),
        (Settings(exclude=("**/generated/**",)), "file:///p/generated/a.py", Reason.EXCLUDED),
    ],
)
async def test_silence_has_a_reason_and_a_remedy(settings, uri, reason):
    provider, model, host = await ready("a + b")
    answer = await provider.complete(
        CompletionRequest(snapshot("x = |", uri), Trigger.INVOKED, settings)
    )

    assert [] == answer
    trace = last(provider)
    assert reason is trace.silence.reason
    assert hint(trace.outcome, trace.silence)
    assert 0 == len(model.engine.prompts)
    host.close()


async def test_before_the_model_is_loaded_the_answer_is_empty_at_once():
    host = ModelHost(lambda settings: (_ for _ in ()).throw(AssertionError("not asked for")))
    provider = CompletionProvider(host)

    assert [] == await ask(provider, "x = |")
    assert Reason.LOADING is last(provider).silence.reason
    host.close()


async def test_an_engine_that_breaks_is_a_quiet_empty_answer(caplog):
    def broken(prompt):
        raise RuntimeError("kernel on fire")

    provider, _, host = await ready(broken)
    with caplog.at_level(logging.ERROR):
        assert [] == await ask(provider, "x = |\n")

    assert RequestOutcome.FAILED is last(provider).outcome
    assert "kernel on fire" in caplog.text
    host.close()


async def test_unsure_text_is_shown_only_when_asked_for():
    provider, _, host = await ready("a + b", logprob=-5.0)

    assert [] == await ask(provider, "x = |\n")
    assert Reason.LOW_CONFIDENCE is last(provider).silence.reason
    assert await ask(provider, "x = |\n", Trigger.INVOKED)
    host.close()


async def test_line_ends_of_windows_are_invisible_to_the_model():
    provider, model, host = await ready("a + b")
    await ask(provider, "def f():\r\n    x = |\r\n    return x\r\n")

    assert "\r" not in model.tokenizer.decode(model.engine.prompts[-1])
    host.close()


async def test_other_documents_reach_the_prompt_only_when_wanted():
    provider, model, host = await ready("a + b")
    other = snapshot("value = compute_total()\n|", "file:///b.py", path="b.py")
    others = lambda: [DocumentHandle.of(other)]  # noqa: E731
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
    """Waits until the program says so."""

    async def waiting() -> None:
        while not is_so():
            await asyncio.sleep(0.002)

    await asyncio.wait_for(waiting(), 20)


def change(provider: CompletionProvider, text: str, settings: Settings = NO_PAUSE) -> None:
    """An edit, after which the document is this."""
    request = CompletionRequest(snapshot(text), Trigger.AUTOMATIC, settings)
    provider.document_changed("file:///a.py", lambda: request)


async def after(timer: IdleTimer) -> None:
    """Waits until the timer has called back, or was stopped."""
    await until(lambda: not timer.is_running)
    await asyncio.sleep(0)


async def begun(provider: CompletionProvider, model: ServedModel, text: str, tokens: int = 2):
    """A request whose answer is being written, and then the edit that follows it."""
    request = asyncio.ensure_future(ask(provider, text))
    await until(lambda: model.engine.tokens_decoded >= tokens)
    provider.document_changed("file:///a.py")
    return request


async def test_typing_what_is_being_written_does_not_start_anew():
    provider, model, host = await ready(LONG, token_seconds=0.02)
    older = await begun(provider, model, "x = |\n")
    newer = await ask(provider, "x = al|\n")

    assert await older is None
    assert LONG[2:] == newer[0].text
    assert 1 == len(model.engine.prompts)
    trace = last(provider)
    assert (RequestOutcome.SHOWN, AnsweredBy.IN_FLIGHT) == (trace.outcome, trace.answered_by)
    assert 6 == newer[0].start
    assert trace.generation.decoding.new_tokens == model.engine.tokens_decoded
    host.close()


async def test_typing_something_else_starts_anew_and_stops_what_was_written():
    provider, model, host = await ready(LONG, token_seconds=0.02)
    older = await begun(provider, model, "x = |\n")
    decoded = model.engine.tokens_decoded
    await ask(provider, "x = be|\n")

    assert await older is None
    assert 2 == len(model.engine.prompts)
    whole = last(provider).generation.decoding.new_tokens
    assert model.engine.tokens_decoded - whole <= decoded + 1
    host.close()


async def test_a_text_that_parts_later_starts_anew():
    provider, model, host = await ready(LONG, token_seconds=0.02)
    older = await begun(provider, model, "x = |\n", tokens=1)
    newer = await ask(provider, "x = alpha_one - |\n")

    assert await older is None
    assert newer is not None
    assert 2 == len(model.engine.prompts)
    assert AnsweredBy.MODEL is last(provider).answered_by
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


async def test_what_follows_an_accepted_suggestion_is_prefetched_and_not_shown():
    in_flight = InFlightGenerations()
    provider, model, host = await ready("a + b", {"in_flight": in_flight})
    (completion,) = await ask(provider, "x = |\n")
    provider.accepted(completion.id)
    await until(lambda: 2 == len(model.engine.prompts) and not in_flight)
    assert 1 == len(provider.log.newest())

    (following,) = await ask(provider, "x = a + b|\n")
    assert 2 == len(model.engine.prompts)
    trace = last(provider)
    assert (AnsweredBy.CACHE, True) == (trace.answered_by, trace.is_prefetched)
    assert following.start == 9
    host.close()


async def test_line_ends_of_windows_are_in_what_is_prefetched():
    in_flight = InFlightGenerations()
    provider, model, host = await ready("a(\n        b)", {"in_flight": in_flight})
    (completion,) = await ask(provider, "def f():\r\n    x = |\r\n    return x\r\n")
    provider.accepted(completion.id)
    await until(lambda: 2 == len(model.engine.prompts) and not in_flight)
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
    assert AnsweredBy.IN_FLIGHT is last(provider).answered_by
    host.close()


async def test_after_a_pause_the_model_has_read_up_to_the_cursor():
    """So the next key, which no suggestion fits, costs its own tokens."""
    provider, model, host = await ready(
        "value_of(one) + other", {"idle_timer": IdleTimer(pause_seconds=0.01)}
    )
    text = "import os\n\n" + "value = 1\n" * 40 + "x = |\n"
    await ask(provider, text)
    typed = text.replace("|", "value_of(|")
    change(provider, typed)
    await ask(provider, typed)
    assert AnsweredBy.CACHE is last(provider).answered_by
    await until(lambda: 2 == len(model.engine.prompts))
    assert model.engine.tokens_decoded > 1

    await ask(provider, typed.replace("|", "two|"))
    trace = last(provider)
    assert AnsweredBy.MODEL is trace.answered_by
    assert num_read(trace) <= 3
    host.close()


async def test_a_prefill_is_not_begun_where_the_model_reads_for_a_request():
    timer = IdleTimer(pause_seconds=0.01)
    provider, model, host = await ready("a + b", {"idle_timer": timer})
    change(provider, "x = |\n")
    await ask(provider, "x = |\n")
    await after(timer)

    assert 1 == len(model.engine.prompts)
    host.close()


async def test_the_next_key_keeps_the_model_from_reading_for_the_one_before():
    timer = IdleTimer(pause_seconds=0.01)
    provider, model, host = await ready("a + b", {"idle_timer": timer})
    change(provider, "x = |\n")
    provider.document_changed("file:///a.py")
    await after(timer)

    assert [] == model.engine.prompts
    host.close()


async def test_all_idle_work_is_switched_off_by_one_setting():
    in_flight, timer = InFlightGenerations(), IdleTimer(pause_seconds=0.01)
    provider, model, host = await ready("a + b", {"in_flight": in_flight, "idle_timer": timer})
    settings = Settings(debounce_ms=0, idle_work=False)
    (completion,) = await ask(provider, "x = |\n", settings=settings)
    provider.accepted(completion.id)
    assert not in_flight
    change(provider, "y = |\n", settings)
    await after(timer)

    assert 1 == len(model.engine.prompts)
    host.close()


async def test_without_budget_nothing_is_prefetched():
    in_flight, budget = InFlightGenerations(), IdleBudget(clock=lambda: 0)
    budget.spend(1e6)
    provider, model, host = await ready("a + b", {"in_flight": in_flight}, budget)
    (completion,) = await ask(provider, "x = |\n")
    provider.accepted(completion.id)
    await until(lambda: not in_flight)

    assert 1 == len(model.engine.prompts)
    assert await ask(provider, "x = a + b|\n")
    host.close()


async def test_after_the_time_limit_what_is_whole_is_shown():
    provider, _, host = await ready("alpha beta gamma delta", token_seconds=0.05)
    limited = Settings(debounce_ms=0, time_limit_ms=1)
    (completion,) = await ask(provider, "x = |\n", settings=limited)

    assert "alpha" == completion.text
    assert "time limit" == last(provider).generation.decoding.finish
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
    figures = last(provider).debounce

    assert ("auto" == debounce_ms) is (figures is not None)
    assert figures is None or None not in (figures.key_gap_ms, figures.answer_ms)
    host.close()


async def test_an_editor_is_told_only_of_tokens_that_its_own_requests_left():
    """The engine is everybody's; what it holds of others would be known to who guesses it."""
    first, model, host = await ready("a + b")
    second = CompletionProvider(host)
    text = "password = 'Tr0ub4dor&3'\nx = |\n"
    await ask(first, text, Trigger.INVOKED)
    await ask(second, text, Trigger.INVOKED)
    generation = last(second).generation
    assert 0 == generation.decoding.cached_tokens
    assert 0 == generation.candidates[0].cached_tokens

    await ask(second, text, Trigger.INVOKED)
    assert num_read(last(second)) <= 1
    assert len(model.engine.prompts) > 2
    host.close()
