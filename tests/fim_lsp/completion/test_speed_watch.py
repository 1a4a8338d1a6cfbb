"""A speed that falls by half is noticed, once; noise and another model are not."""

from dataclasses import replace

import pytest

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.speed_watch import WINDOW, SpeedWatch
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from model_runtime.engines.auto_select import Choice
from tests.support.scripted_host import scripted_model

FAST, SLOW, SLOWER = 10.0, 25.0, 60.0
"""Milliseconds of a token."""


@pytest.mark.parametrize(
    ("tokens_ms", "noticed"),
    [
        ([FAST] * 20, 0),
        ([FAST] * 5 + [SLOW] * 10, 1),
        ([FAST] * 5 + [SLOW] * 10 + [SLOWER] * 10, 2),
        ([FAST] * 5 + [SLOW] * 2 + [FAST] * 10, 0),
        ([FAST] * 5 + [FAST * 1.9] * 20, 0),
        ([SLOW] * 5 + [FAST] * 20, 0),
        ([FAST] * 4, 0),
    ],
    ids=["steady", "halved", "halved twice", "a moment", "somewhat slower", "faster", "too few"],
)
def test_it_is_noticed_once_when_the_median_has_doubled(tokens_ms, noticed):
    watch = SpeedWatch(window=5)

    found = [watch.has_halved("model", 8 * milliseconds, 8) for milliseconds in tokens_ms]

    assert noticed == sum(found)


def test_another_model_is_no_slower_version_of_the_first():
    watch = SpeedWatch(window=3)

    found = [watch.has_halved("small", FAST, 1) for _ in range(5)]
    found += [watch.has_halved("large", SLOWER, 1) for _ in range(5)]

    assert not any(found)


def test_answers_of_one_token_say_nothing():
    watch = SpeedWatch(window=2)

    assert not any(watch.has_halved("model", milliseconds, 0) for milliseconds in (1, 1, 9, 9))


@pytest.mark.parametrize(("token_seconds", "is_kept"), [(0.02, False), (0.0, True)])
async def test_the_choice_of_an_engine_is_forgotten_when_its_answers_take_twice_as_long(
    tmp_path, token_seconds, is_kept
):
    """So it is measured again when the model is opened next."""
    remembered = tmp_path / "choice.json"
    remembered.touch()
    model = replace(
        scripted_model(lambda prompt: "a + b"), choice=Choice("scripted", remembered_in=remembered)
    )
    host, settings = ModelHost(lambda settings: model), Settings(debounce_ms=0)
    await host.ready(settings)
    provider = CompletionProvider(host)

    async def ask(number):
        text = f"x{number} = "
        snapshot = DocumentSnapshot("file:///a.py", "python", number, text, len(text))
        await provider.complete(CompletionRequest(snapshot, Trigger.AUTOMATIC, settings))

    for number in range(WINDOW):
        await ask(number)
    assert remembered.exists()
    model.engine.token_seconds = token_seconds
    for number in range(WINDOW, 2 * WINDOW):
        await ask(number)

    assert is_kept == remembered.exists()
    host.close()
