"""A text ends where it begins to repeat what follows the cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.decoding.joining import cut_at_join
from model_runtime.prompt.encoder import Hole


@pytest.mark.parametrize(
    ("text", "suffix", "left"),
    [
        (" abs(a - b)\n    return", " - b)\n", " abs(a"),
        ("a:\n    return True\n\nx", "return True\n", "a:\n    "),
        # The line must end behind it, and it must be said whole.
        ("total = total + 1\n", "total\n", None),
        ("total + 1", "total + 1\n", None),
        ("total + 1\n", "total + 12\n", None),
        # A few characters say little: the line below must follow.
        ("x\n    y = x\n    return x\n", "x\n    return x\n", "x\n    y = "),
        ("x\n    z()\n", "x\n    return x\n", None),
        ("x\n\n    return x\n", "x\n\n    return x\n", ""),
        ("one x\n", "x\n", "one "),
        # Nothing but closers is nothing to lead to; they are replaced.
        ("a, b):\n", "):\n", None),
        ("a\nb\n", "\nb\n", None),
        ("a\nb\n", "", None),
        ("value = 1\n", "lue = 1\r\nprint()\r\n", "va"),
    ],
)
def test_a_text_ends_where_it_repeats_the_rest_of_the_line(text, suffix, left):
    found = cut_at_join(text, Hole("x = ", suffix))

    assert left == (None if found is None else text[: found.offset])


@given(st.text("ab \n", max_size=20), st.text("ab(\n", max_size=12), st.text("ab\n", max_size=9))
def test_what_is_left_and_the_rest_are_the_text_or_its_beginning(text, suffix, more):
    found = cut_at_join(text, Hole("", suffix))
    if found is not None:
        left, line = text[: found.offset], suffix.partition("\n")[0]
        assert text.startswith(f"{left}{line}\n")
        assert found == cut_at_join(text + more, Hole("", suffix))
