"""What `fim-lsp complete --explain` tells of a decision."""

import re

import pytest

from fim_lsp.cli import main
from fim_lsp.completion.explanation import explain
from fim_lsp.suggestion import Trigger
from model_runtime.prompt.format import HoleStart
from tests.fim_lsp.completion.test_provider import ask, ready


async def told(text: str, trigger=Trigger.AUTOMATIC, answer="a + b", **options):
    completer, _, host = await ready(answer, **options)
    await ask(completer, text, trigger)
    host.close()
    return dict(explain(completer.explain()[0]))


async def test_what_was_shown_is_explained_with_tokens_by_source_and_sureness():
    rows = await told("x = |\n")

    assert "typing" == rows["asked by"]
    assert "shown, from the model" == rows["outcome"]
    numbers = [int(number) for number in re.findall(r"\d+", rows["prompt"])]
    # The sentinels are the prompt's own.
    assert numbers[0] == sum(numbers[1:4]) + 3
    assert "ended by: end" in rows["written"]
    assert "typing shows it from 0.25 on" in rows["sureness"]
    assert "remedy" not in rows


@pytest.mark.parametrize(
    ("text", "options", "reason", "remedy"),
    [
        ("x = |\n", {"logprob": -5.0}, "too unsure", "eagerness"),
        ("x = |\n", {"answer": "a"}, "too short", "ask for"),
        ("na|me\n", {}, "inside a word", "ask for"),
    ],
)
async def test_silence_is_explained_with_a_remedy(text, options, reason, remedy):
    rows = await told(text, **options)

    assert rows["outcome"].partition(": ")[2].startswith(reason)
    assert remedy in rows["remedy"]


async def test_every_rule_that_changed_the_text_is_named():
    rows = await told("x = |\n", answer="a + b   ")

    assert "cut_trailing_space" == rows["rules"]


async def test_who_asks_is_shown_what_typing_would_not_be():
    rows = await told("x = |\n", Trigger.INVOKED, logprob=-5.0)

    assert "the user" == rows["asked by"]
    assert rows["outcome"].startswith("shown")
    assert rows["sureness"].startswith("0.00 for the first line; typing shows it from 0.25 on")


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
        ({"source": "cache"}, "outcome", "shown, from the cache"),
        ({"source": "cache", "prepared": True}, "outcome", "shown, prepared when"),
        ({"source": "running"}, "outcome", "shown, from what the model was writing"),
        ({"waitMs": 60.0}, "waited", "60 ms for another key"),
        (
            {"waitMs": 10.0, "keyGapMs": 240, "answerMs": 35},
            "waited",
            "10 ms for another key: they come every 240 ms, and the model takes 35 ms",
        ),
    ],
)
def test_waits_and_sources_are_told_in_words(more, name, said):
    decision = {"trigger": "automatic", "outcome": "shown", "source": "", "reason": "", **more}

    assert dict(explain(decision))[name].startswith(said)


async def test_a_probability_that_depends_on_what_is_typed_says_so():
    rows = await told("total = |\n", hole_start=HoleStart.LINE)

    assert ", given what is typed of it; typing shows it" in rows["sureness"]
    assert "given" not in (await told("x = |\n"))["sureness"]
