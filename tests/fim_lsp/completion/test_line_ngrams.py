"""Lines of the project are suggested without a model, and only where that helps."""

import math
from dataclasses import replace

import pytest

from fim_lsp.completion.reasons import RequestOutcome
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.trace import AnsweredBy
from fim_lsp.suggestion import Trigger
from tests.fim_lsp.completion.test_provider import NO_PAUSE, ask, last, ready, snapshot

LOOP = "for item in items:\n    total += item.price\n\n"
TEXT = LOOP * 4 + "for item in items:\n    |\n"


async def test_the_project_answers_in_place_of_the_model():
    provider, model, host = await ready("a + b")
    (completion,) = await ask(provider, TEXT)
    (trace,) = provider.log.newest()

    assert "total += item.price" == completion.text
    assert [] == model.engine.prompts
    assert (RequestOutcome.SHOWN, AnsweredBy.LINE_NGRAMS) == (trace.outcome, trace.answered_by)
    assert 4 == trace.line_ngrams.written_before
    assert math.exp(completion.mean_logprob) >= trace.confidence.least_probability
    host.close()


async def test_what_it_answered_is_typed_through_and_then_asked_again():
    provider, model, host = await ready("a + b")
    (first,) = await ask(provider, TEXT)
    (rest,) = await ask(provider, TEXT.replace("|", "total |"))

    assert ("+= item.price", first.id) == (rest.text, rest.id)
    assert AnsweredBy.CACHE is last(provider).answered_by
    assert [] == model.engine.prompts
    host.close()


async def test_it_is_typed_through_in_a_language_that_the_model_does_not_know():
    provider, _, host = await ready("a + b", languages=("go",))
    (first,) = await ask(provider, TEXT)
    (rest,) = await ask(provider, TEXT.replace("|", "total |"))

    assert ("+= item.price", first.id) == (rest.text, rest.id)
    host.close()


@pytest.mark.parametrize(
    "text",
    [
        LOOP * 4 + "for item in items:\n    |print(item)\n",
        LOOP + "for item in items:\n    |\n",
        LOOP * 4 + "for item in items:\n    total += item.pri|\n",
    ],
    ids=["text follows", "seen too seldom", "hardly anything is left"],
)
async def test_the_model_is_asked_where_the_project_does_not_help(text):
    provider, model, host = await ready("a + b")
    await ask(provider, text)

    assert 1 == len(model.engine.prompts)
    host.close()


async def test_lines_of_another_file_are_known_once_it_was_worked_on():
    provider, _, host = await ready("a + b")
    await provider.complete(
        CompletionRequest(
            snapshot(LOOP * 4 + "|", uri="file:///other.py"), Trigger.AUTOMATIC, NO_PAUSE
        )
    )
    (completion,) = await ask(provider, "for item in items:\n    |\n")

    assert "total += item.price" == completion.text
    host.close()


async def test_lines_of_a_file_are_known_once_it_is_open():
    provider, _, host = await ready("a + b")
    for settings in (replace(NO_PAUSE, project_memory=False), NO_PAUSE):
        provider.lines.document_opened(snapshot(LOOP * 4 + "|", uri="file:///other.py"), settings)
        (completion,) = await ask(provider, "for item in items:\n    |\n", settings=settings)
        provider.document_closed("file:///a.py")

        is_known = settings.project_memory
        assert ("total += item.price" if is_known else "a + b") == completion.text
    host.close()


async def test_a_file_that_is_excluded_later_is_forgotten():
    provider, _, host = await ready("a + b")
    await provider.complete(
        CompletionRequest(
            snapshot(LOOP * 4 + "|", uri="file:///other.py"), Trigger.AUTOMATIC, NO_PAUSE
        )
    )
    settings = replace(NO_PAUSE, exclude=("other.py",))
    (completion,) = await ask(provider, "for item in items:\n    |\n", settings=settings)

    assert "a + b" == completion.text
    host.close()


async def test_it_can_be_switched_off_and_is_silent_when_asked():
    provider, model, host = await ready("a + b")
    await ask(provider, TEXT, settings=replace(NO_PAUSE, project_memory=False))
    await ask(provider, TEXT, Trigger.INVOKED)

    assert 2 <= len(model.engine.prompts)
    assert {AnsweredBy.MODEL} == {trace.answered_by for trace in provider.log.newest()}
    host.close()


async def test_line_ends_of_windows_change_nothing():
    provider, _, host = await ready("a + b")
    (completion,) = await ask(provider, TEXT.replace("\n", "\r\n"))

    assert "total += item.price" == completion.text
    host.close()
