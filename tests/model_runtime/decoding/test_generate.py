"""Text grows with its tokens, and ends with a rule, a stop string or the model."""

import threading

import pytest

from model_runtime.decoding.confidence import ConfidenceCutoff
from model_runtime.decoding.generate import Finish, generate_text
from model_runtime.decoding.stop_rules import StopStrings
from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.scripted import ScriptedEngine
from tests.support.made_tokenizers import KINDS, made

END = 2
MADE = {kind: made(kind) for kind in KINDS}
SAMPLING = SamplingParams(max_tokens=200, stop_ids=frozenset({END}))


def written(kind, text, sampling=SAMPLING, ends=True, **options):
    """Generates what a model writes that says a text, with one id for each of its pieces."""
    tokenizer = MADE[kind]
    pieces = [text] if isinstance(text, str) else text
    ids = [id_ for piece in pieces for id_ in tokenizer.encode(piece)]
    engine = ScriptedEngine([*ids, END] if ends else ids)
    return generate_text(engine, tokenizer, [1], sampling, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["  return self", " für 🙂\n", "\tdef\r\n", "▁▁", ""])
def test_a_text_is_given_as_it_was_written(kind, text):
    found = written(kind, text)

    assert (text, Finish.END) == (found.text, found.finish)
    assert not text or len(text) == found.ends[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_character_does_not_show(kind):
    seen = []
    whole = written(kind, "a🙂", stop=seen.append)
    half = written(kind, "a🙂", SamplingParams(3, frozenset({END})))

    assert ["a", "a", "a", "a", "a🙂"] == seen
    assert ("a🙂", "a") == (whole.text, half.text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("forced", [" ", "   ret", "für ", "名", "▁d"])
def test_what_is_typed_is_no_part_of_the_text(kind, forced):
    found = written(kind, "self.name\n", forced_text=forced)

    assert "self.name\n" == found.text
    assert found.forced_tokens == len(MADE[kind].encode(forced))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["value\n+++++ a.py\nself"], "value"),
        (["value", "\n", "++", "+++", " a", ".py"], "value"),
        (["value\n++++", "value"], "value\n++++value"),
        (["<file>value"], ""),
        (["value<fi", "le>\n+++++ a"], "value"),
    ],
)
def test_a_stop_string_ends_the_text_and_is_no_part_of_it(kind, pieces, text):
    found = written(kind, pieces, stop_strings=("\n+++++ ", "<file>"))

    assert text == found.text
    stops = text != "value\n++++value"
    assert ((Finish.RULE, "stop string") if stops else (Finish.END, "")) == (
        found.finish,
        found.rule,
    )


def test_decoding_ends_with_the_token_that_completes_a_stop_string():
    engine = ScriptedEngine([*MADE["gemma"].encode("a<file>"), *MADE["gemma"].encode("b" * 50)])
    generate_text(engine, MADE["gemma"], [1], SAMPLING, stop_strings=("<file>",))

    assert len("a<file>") == engine.tokens_decoded


@pytest.mark.parametrize(("ends", "text"), [(True, "a\n++"), (False, "a")])
def test_the_beginning_of_a_stop_string_stays_only_where_the_model_ended(ends, text):
    assert text == written("llama", "a\n++", ends=ends, stop_strings=("\n+++++ ",)).text


def test_the_rule_that_leaves_least_wins():
    found = written(
        "gemma",
        "ab<file>",
        stop_strings=("<file>",),
        stop=StopStrings(("b",)).cut,
        sure=ConfidenceCutoff(0.0),
    )

    assert "a" == found.text


def test_a_cancelled_text_is_told_as_such():
    cancel = threading.Event()
    cancel.set()

    assert Finish.CANCELLED is written("llama", "self", cancel=cancel).finish


@pytest.mark.parametrize(
    ("text", "place", "at_end"),
    [
        ("", None, None),
        ("a\nb", None, None),
        ("a\n", None, 1),
        ("a\n+++++", None, 1),
        ("a\n+++++ ", 1, None),
        ("a<f<file>", 3, None),
        ("a<file", None, 1),
    ],
)
def test_stop_strings_are_found_whole_and_at_the_end_in_part(text, place, at_end):
    stops = StopStrings(("\n+++++ ", "<file>"))
    whole, part = stops.cut(text), stops.cut_at_end(text)

    assert place == (whole.offset if whole else None)
    assert place is not None or at_end == (part.offset if part else None)
