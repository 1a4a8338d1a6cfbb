"""Rules that end a completion for the model, replayed on what it wrote."""

import pytest

from model_runtime.evaluation import cutting
from model_runtime.evaluation.cutting import HoleContext
from model_runtime.evaluation.splits import SPLITS
from model_runtime.evaluation.tasks import read_split
from model_runtime.prompt.encoder import Hole

LINES = HoleContext(Hole("def f(x):\n", "    return y\n"), is_whole_lines=True)
SPAN = HoleContext(Hole("def f(x):\n    y = g(", ")\n    return y\n"), is_whole_lines=False)


def apply(rule, place, tokenizer, text):
    return cutting.apply(rule, place, tokenizer, tokenizer.encode(text), text)


@pytest.mark.parametrize(
    ("rule", "place", "text", "expected"),
    [
        ("raw", LINES, "    y = 1\n    z\n", "    y = 1\n    z\n"),
        ("line", LINES, "    y = 1\n    z\n", "    y = 1\n"),
        ("line", LINES, "    y = 1", "    y = 1"),
        ("line", LINES, "", ""),
        ("line", SPAN, "x, 2)\n    y += 1", "x, 2)\n"),
        ("server", LINES, "    y = 1\n    return y\n    z = 3\n", "    y = 1\n"),
        ("server", LINES, "    y = 1\n\n\ndef g():\n    pass\n", "    y = 1\n"),
        ("server", LINES, "    y = 1\n", "    y = 1\n"),
        ("server", SPAN, "x, 2)\n    return y\n    z = 3\n", "x, 2)"),
        # A back quote begins no string in Python, though it does where the language is unknown.
        ("server", SPAN, "x`)) + h(`", "x`)"),
    ],
)
def test_a_rule_leaves(seed_tokenizer, rule, place, text, expected):
    assert expected == apply(rule, place, seed_tokenizer, text)


@pytest.mark.parametrize("rule", ["raw", "line"])
def test_a_rule_leaves_every_single_line_answer_whole(data, seed_tokenizer, rule):
    """Cutting before the line end instead would break 572 of the 1,033."""
    for task in read_split(data, SPLITS["single-line"]):
        place = HoleContext(task.hole, is_whole_lines=True)

        assert task.middle == apply(rule, place, seed_tokenizer, task.middle)
