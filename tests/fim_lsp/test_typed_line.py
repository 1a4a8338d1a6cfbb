"""Completing from the line's start: what is typed is forced, and silence depends on the language."""

from dataclasses import replace

import pytest

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.reasons import Reason, RequestOutcome, Silence
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from fim_lsp.suggestion import SelectedSuggestion, Trigger
from model_runtime.models.calibration import Calibration, CalibrationPoint
from model_runtime.prompt.format import HoleStart
from tests.support.scripted_host import encoder, scripted_model

NO_PAUSE = Settings(debounce_ms=0)
RIGHT = (CalibrationPoint(0.0, 0.5, 0.5), CalibrationPoint(1.0, 0.1, 0.3))
WRONG = (CalibrationPoint(0.0, 0.5, 0.2), CalibrationPoint(1.0, 0.1, 0.1))


@pytest.fixture
async def open_provider():
    """A function that opens a provider over a scripted model."""
    hosts = []

    async def run(answer: str = "a + b", **options: object):
        model = scripted_model(answer, **options)
        hosts.append(ModelHost(lambda settings: model))
        await hosts[-1].ready(NO_PAUSE)
        return CompletionProvider(hosts[-1]), model

    yield run
    for host in hosts:
        host.close()


async def ask(provider, text, trigger=Trigger.AUTOMATIC, language="python", **more):
    before, _, after = text.partition("|")
    snapshot = DocumentSnapshot("file:///a", language, 1, before + after, len(before))
    settings = more.pop("settings", NO_PAUSE)
    found = await provider.complete(CompletionRequest(snapshot, trigger, settings, **more))
    return [one.text for one in found], provider.log.newest()[0]


async def test_the_prompt_of_a_line_stays_while_it_is_typed(open_provider):
    provider, model = await open_provider(hole_start=HoleStart.LINE)
    for typed in ("", "re", "return ", "return self.val"):
        await ask(provider, f"import os\n\ndef f(self):\n    {typed}|\n")

    line_starts = [prompt[: prompt.index(50279) + 1] for prompt in model.engine.prompts]
    assert 4 == len(line_starts)
    assert all(line_starts[0] == other for other in line_starts)


async def test_a_suggestion_goes_on_behind_what_is_typed(open_provider):
    provider, _ = await open_provider(hole_start=HoleStart.LINE)

    assert ["a + b"] == (await ask(provider, "total = |\n"))[0]
    assert HoleStart.LINE is provider.log.newest()[0].generation.prompt.hole_start


@pytest.mark.parametrize(
    ("hole_start", "outcome"),
    [(HoleStart.LINE, RequestOutcome.SHOWN), (HoleStart.CURSOR, RequestOutcome.NOTHING)],
)
async def test_inside_a_word_only_a_model_that_sees_its_beginning_suggests(
    open_provider, hole_start, outcome
):
    provider, _ = await open_provider(hole_start=hole_start)
    _, trace = await ask(provider, "na|me = 1\n")

    assert outcome is trace.outcome


async def test_an_entry_of_the_popup_is_forced_like_what_is_typed(open_provider):
    provider, model = await open_provider("(x)", hole_start=HoleStart.LINE)
    texts, _ = await ask(provider, "x = ran|\n", selected=SelectedSuggestion(4, 7, "range"))

    assert ["range(x)"] == texts
    prompt = model.engine.prompts[-1]
    assert "ran" not in encoder().tokenizer.decode(prompt)


@pytest.mark.parametrize(
    ("language", "options", "is_silent"),
    [
        ("python", {"languages": ("python",)}, False),
        ("go", {"languages": ("python",)}, True),
        ("go", {"languages": ()}, False),
        ("go", {"languages": ("go",), "calibration": Calibration(RIGHT, "", {"go": WRONG})}, True),
        ("go", {"languages": (), "calibration": Calibration(WRONG, "", {"go": RIGHT})}, False),
    ],
)
async def test_a_model_suggests_unasked_only_where_it_is_right_often_enough(
    open_provider, language, options, is_silent
):
    provider, _ = await open_provider(**options)
    texts, trace = await ask(provider, "x = |\n", language=language)
    not_learned = Silence(Reason.NOT_LEARNED, language="go", model="scripted")

    assert is_silent is (texts == [])
    assert (not_learned if is_silent else None) == trace.silence


async def test_a_language_that_the_user_has_switched_on_is_completed(open_provider):
    provider, _ = await open_provider(languages=("python",))
    settings = replace(NO_PAUSE, languages=(("go", True),))

    assert ["a + b"] == (await ask(provider, "x = |\n", language="go", settings=settings))[0]


async def test_who_asks_gets_an_answer_in_any_language(open_provider):
    provider, _ = await open_provider(languages=("python",))

    assert ["a + b"] == (await ask(provider, "x = |\n", Trigger.INVOKED, "go"))[0]


async def test_a_language_has_its_own_threshold(open_provider):
    calibration = Calibration(RIGHT, "", {"go": (replace(RIGHT[0], probability=0.9), RIGHT[1])})
    provider, _ = await open_provider(calibration=calibration, logprob=-1.5)
    _, python = await ask(provider, "x = |\n")
    _, go = await ask(provider, "y = |\n", language="go")

    assert go.confidence.least_probability > python.confidence.least_probability
