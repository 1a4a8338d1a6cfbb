"""`fim-lsp complete --explain` tells in words what came of a request."""

import re

import pytest

from fim_lsp.cli import main
from fim_lsp.completion.explanation import rows
from fim_lsp.completion.reasons import RequestOutcome
from fim_lsp.completion.trace import AnsweredBy, DebounceFigures, RequestTrace
from fim_lsp.suggestion import Trigger
from model_runtime.prompt.format import HoleStart
from tests.fim_lsp.completion.test_provider import ask, last, ready


async def told(text: str, trigger=Trigger.AUTOMATIC, answer="a + b", **options):
    provider, _, host = await ready(answer, **options)
    await ask(provider, text, trigger)
    host.close()
    return dict(rows(last(provider)))


async def test_what_was_shown_is_explained_with_tokens_by_source_and_confidence():
    lines = await told("x = |\n")

    assert "typing" == lines["asked by"]
    assert "shown, from the model" == lines["outcome"]
    numbers = [int(number) for number in re.findall(r"\d+", lines["prompt"])]
    # The sentinels are the prompt's own.
    assert numbers[0] == sum(numbers[1:4]) + 3
    assert "ended by: end" in lines["written"]
    assert "typing shows it from 0.25 on" in lines["confidence"]
    assert "remedy" not in lines


@pytest.mark.parametrize(
    ("text", "options", "reason", "remedy"),
    [
        ("x = |\n", {"logprob": -5.0}, "not confident enough", "eagerness"),
        ("x = |\n", {"answer": "a"}, "too short", "ask for"),
        ("na|me\n", {}, "inside a word", "ask for"),
    ],
)
async def test_silence_is_explained_with_a_remedy(text, options, reason, remedy):
    lines = await told(text, **options)

    assert lines["outcome"].partition(": ")[2].startswith(reason)
    assert remedy in lines["remedy"]


async def test_every_rule_that_changed_the_text_is_named():
    lines = await told("x = |\n", answer="a + b   ")

    assert lines["filtered"] == "blanks at its end"


async def test_who_asks_is_shown_what_typing_would_not_be():
    lines = await told("x = |\n", Trigger.INVOKED, logprob=-5.0)

    assert "the user" == lines["asked by"]
    assert lines["outcome"].startswith("shown")
    assert lines["confidence"].startswith("0.00 for the first line; typing shows it from 0.25 on")


def test_the_command_prints_the_reasons(tmp_path, capsys):
    path = tmp_path / "a.py"
    path.write_text("def area(width, height):\n    return \n")

    assert 0 == main(["complete", f"{path}:2:12", "--explain", "--threads", "1"])
    out = capsys.readouterr().out
    assert "asked by" in out
    assert "before the cursor" in " ".join(out.split())


@pytest.mark.parametrize(
    ("more", "name", "said"),
    [
        ({"answered_by": AnsweredBy.CACHE}, "outcome", "shown, from the cache"),
        (
            {"answered_by": AnsweredBy.CACHE, "is_prefetched": True},
            "outcome",
            "shown, prefetched when",
        ),
        ({"answered_by": AnsweredBy.IN_FLIGHT}, "outcome", "shown, from what the model was"),
        ({"debounce": DebounceFigures(60.0)}, "waited", "60 ms for another key"),
        (
            {"debounce": DebounceFigures(10.0, 240, 35)},
            "waited",
            "10 ms for another key: they come every 240 ms, and the model takes 35 ms",
        ),
    ],
)
def test_waits_and_sources_are_told_in_words(more, name, said):
    trace = RequestTrace("file:///a", Trigger.AUTOMATIC, outcome=RequestOutcome.SHOWN, **more)

    assert dict(rows(trace))[name].startswith(said)


async def test_a_probability_that_depends_on_what_is_typed_says_so():
    lines = await told("total = |\n", hole_start=HoleStart.LINE)

    assert ", given what is typed of it; typing shows it" in lines["confidence"]
    assert "given" not in (await told("x = |\n"))["confidence"]
