"""No reason for silence stands without a message and a hint."""

import pytest

from fim_lsp.completion.filters import RULES
from fim_lsp.completion.language_filters import LANGUAGE_RULES, LANGUAGE_RULES_FOR_BLOCK
from fim_lsp.completion.reasons import ConfidenceFigures, Reason, RequestOutcome, Silence, hint
from fim_lsp.exclusion.judge import Exclusion, ExclusionKind
from fim_lsp.model_host.status import LoadProgress

NOTHING = RequestOutcome.NOTHING


def low_confidence(eagerness_to_show: float | None) -> Silence:
    figures = ConfidenceFigures(0.01, 0.25, 0.5, eagerness_to_show)
    return Silence(Reason.LOW_CONFIDENCE, confidence=figures)


def loading(progress: LoadProgress) -> Silence:
    return Silence(Reason.LOADING, progress=progress)


def excluded(kind: ExclusionKind, rule: str = "") -> Silence:
    return Silence(Reason.EXCLUDED, exclusion=Exclusion(kind, rule))


@pytest.mark.parametrize("reason", set(Reason) - {Reason.EXCLUDED})
def test_every_reason_has_a_message_and_a_hint(reason):
    assert Silence(reason).message
    assert hint(NOTHING, Silence(reason))


@pytest.mark.parametrize("kind", list(ExclusionKind))
def test_every_kind_of_exclusion_has_a_message_and_a_hint(kind):
    assert "excluded: " in excluded(kind, "*.py").message
    assert hint(NOTHING, excluded(kind))


@pytest.mark.parametrize(
    "rule",
    [
        *sorted({one.__name__ for one in (*RULES, *LANGUAGE_RULES, *LANGUAGE_RULES_FOR_BLOCK)}),
        "cut_off",
        "fit_indentation",
        "fit_closers",
    ],
)
def test_every_rule_of_the_filters_has_words(rule):
    message = Silence(Reason.FILTERED, rules=(rule,)).message

    assert message.startswith("filtered: ")
    assert "_" not in message


@pytest.mark.parametrize("outcome", [RequestOutcome.SUPERSEDED, RequestOutcome.CANCELLED])
def test_outcomes_that_say_it_all_have_a_hint(outcome):
    assert "nothing is wrong" in hint(outcome, None)


@pytest.mark.parametrize("reason", list(Reason))
def test_codes_are_names_as_json_has_them(reason):
    assert reason.value.isalpha() and reason.value[0].islower()


@pytest.mark.parametrize(
    ("silence", "message", "advice"),
    [
        (excluded(ExclusionKind.BY_USER, "*.py"), "fimLsp.exclude names *.py", "fimLsp.exclude"),
        (excluded(ExclusionKind.SECRET, ".env*"), "list of secrets", "rename the file"),
        (low_confidence(0.8), "not confident enough: 1 %, needs 25 %", "eagerness 0.8"),
        (low_confidence(None), "not confident enough: 1 %, needs 25 %", "ask for"),
        (Silence(Reason.LOADING), "loading", "wait until"),
        (loading(LoadProgress("default")), "loading: default", "wait until"),
        (loading(LoadProgress("a", "preparing", 40)), "loading: preparing: 40 %", "wait until"),
        (Silence(Reason.ENGINE_ERROR, error="{odd} text"), "{odd} text", "fim-lsp doctor"),
        (Silence(Reason.FILTERED), "the model wrote nothing", "type on"),
        (Silence(Reason.FILTERED, rules=("cut_trailing_space", "cut_trailing_junk")), "filtered: blanks at its end, junk at its end", "type on"),
    ],
)  # fmt: skip
def test_message_and_hint_fit_the_time(silence, message, advice):
    assert message in silence.message
    assert advice in hint(NOTHING, silence)


def test_a_suggestion_that_was_shown_needs_no_hint():
    assert "" == hint(RequestOutcome.SHOWN, None)
