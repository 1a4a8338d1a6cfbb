"""Characters that terminals send become the keys of the tour."""

import pytest

from fim_lsp.tour.keys import Key, decoded


@pytest.mark.parametrize(
    ("sent", "presses", "rest"),
    [
        ("abc", ["a", "b", "c"], ""),
        ("ä名🎉", ["ä", "名", "🎉"], ""),
        ("\t", [Key.TAB], ""),
        ("\r", [Key.ENTER], ""),
        ("\x7f\b", [Key.BACKSPACE, Key.BACKSPACE], ""),
        ("\x1b[1;5C", [Key.WORD], ""),
        ("\x1b[1;3C", [Key.WORD], ""),
        ("\x1bOc", [Key.WORD], ""),
        ("\x1bf", [Key.WORD], ""),
        ("\x1b[C\x1bOD", [Key.RIGHT, Key.LEFT], ""),
        ("\x03", [Key.LEAVE], ""),
        ("\x1b", [], "\x1b"),
        ("x\x1b[1;", ["x"], "\x1b[1;"),
        ("\x1b[5~\x1b[200~x", ["x"], ""),
        ("\x01\x0cy", ["y"], ""),
        ("\x1b\x1b", [], "\x1b\x1b"),
    ],
)
def test_a_terminals_characters_become_keys(sent, presses, rest):
    assert (presses, rest) == decoded(sent)


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_sequence_that_comes_in_two_parts_is_one_key(cut):
    sequence = "\x1b[1;5C"
    first, rest = decoded(sequence[:cut])

    assert [] == first
    assert ([Key.WORD], "") == decoded(rest + sequence[cut:])
