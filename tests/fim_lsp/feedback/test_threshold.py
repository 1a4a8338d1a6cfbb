"""The threshold moves a little by what is taken, within bounds, and the counts are kept."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.feedback import acceptance_store
from fim_lsp.feedback.outcomes import Outcome
from fim_lsp.feedback.threshold import MAX_SHIFT, ThresholdAdapter, adapted, shift
from fim_lsp.suggestion import SelectedSuggestion, Trigger
from model_runtime.models.calibration import UNCALIBRATED
from tests.fim_lsp.completion.test_provider import NO_PAUSE, ask, last, ready, snapshot

numbers = st.integers(0, 10**6)
shares = st.floats(0, 1)


@given(numbers, numbers, shares)
def test_the_eagerness_never_moves_further_than_half_a_step(taken, rejected, expected):
    assert -MAX_SHIFT <= shift(taken, rejected, expected) <= MAX_SHIFT


@given(numbers, numbers, shares)
def test_one_more_that_is_taken_never_shows_less_and_one_more_rejected_never_more(
    taken, rejected, expected
):
    moved = shift(taken, rejected, expected)

    assert shift(taken + 1, rejected, expected) >= moved - 1e-12
    assert shift(taken, rejected + 1, expected) <= moved + 1e-12


@given(shares, numbers, numbers)
def test_whatever_is_rejected_a_sure_suggestion_is_still_shown(eagerness, taken, rejected):
    known = {("m", f"{round(eagerness, 2):g}", "rejected"): rejected}
    moved = adapted(eagerness, "m", UNCALIBRATED, known)

    assert UNCALIBRATED.least_probability(moved) <= UNCALIBRATED.least_probability(0)
    assert abs(moved - eagerness) <= MAX_SHIFT + 1e-9


def test_a_user_who_takes_what_is_expected_moves_nothing():
    assert 0 == shift(25, 75, 0.25)
    assert 0 == shift(0, 0, 0.25)


def test_the_first_few_suggestions_move_next_to_nothing():
    assert abs(shift(0, 3, 0.25)) < 0.01


async def rejecting(tmp_path, times: int, **settings):
    """A provider, and what is in the file, after suggestions in whose place others were typed."""
    file = tmp_path / "accepted.json"
    _, _, host = await ready("a + b")
    provider = CompletionProvider(host, threshold=ThresholdAdapter(file))
    chosen = replace(NO_PAUSE, **settings)
    for number in range(times):
        uri = f"file:///{number}.py"
        for text in ("x = |\n", "x = other|\n"):
            await provider.complete(
                CompletionRequest(snapshot(text, uri=uri), Trigger.AUTOMATIC, chosen)
            )
    return provider, host, file


async def test_rejections_raise_the_bar_and_are_in_the_file_when_the_editor_leaves(tmp_path):
    provider, host, file = await rejecting(tmp_path, 34)
    before = UNCALIBRATED.least_probability(0.5)
    provider.close()
    while (
        sum(acceptance_store.read(file).values()) < 34
    ):  # most of them are written in the background
        await asyncio.sleep(0.01)
    await ask(provider, "y = |\n")

    # Each second text has a suggestion of its own, of which nothing is known.
    assert {("scripted", "0.5", "rejected"): 34} == acceptance_store.read(file)
    assert before < last(provider).confidence.least_probability
    host.close()


async def test_an_acceptance_counts_for_the_model_that_made_it(tmp_path):
    file = tmp_path / "accepted.json"
    _, _, host = await ready("a + b")
    provider = CompletionProvider(host, threshold=ThresholdAdapter(file))
    (completion,) = await ask(provider, "x = |\n")
    provider.accepted(completion.id)
    provider.close()

    assert {("scripted", "0.5", Outcome.ACCEPTED.value): 1} == acceptance_store.read(file)
    host.close()


@pytest.mark.parametrize("typed", ["users.findProduct(name)|\n", "users.forEach|\n"])
@pytest.mark.parametrize("is_accepted", [True, False])
async def test_a_suggestion_behind_an_entry_of_the_popup_teaches_nothing(
    tmp_path, typed, is_accepted
):
    """Neither the acceptance nor the other text says anything of the model's own threshold."""
    file = tmp_path / "accepted.json"
    provider, _, host = await ready("(name)")
    provider = CompletionProvider(host, threshold=ThresholdAdapter(file))
    popup = SelectedSuggestion(start=6, end=7, text="findProduct")
    (completion,) = await ask(provider, "users.f|\n", selected=popup)
    assert "findProduct(name)" == completion.text
    if is_accepted:
        provider.accepted(completion.id)
    await ask(provider, typed, selected=popup)
    provider.close()

    assert {} == acceptance_store.read(file)
    host.close()


@pytest.mark.parametrize("settings", [{"learn_from_use": False}])
async def test_who_switches_it_off_is_not_counted_and_the_eagerness_stays(tmp_path, settings):
    provider, host, file = await rejecting(tmp_path, 12, **settings)
    acceptance_store.add(file, {("scripted", "0.5", "rejected"): 10_000})
    provider.close()
    await ask(provider, "y = |\n", settings=replace(NO_PAUSE, **settings))

    assert {("scripted", "0.5", "rejected"): 10_000} == acceptance_store.read(file)
    assert 0.25 == last(provider).confidence.least_probability
    host.close()
