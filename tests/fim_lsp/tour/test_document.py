"""A suggestion is shown, typed through, and taken, as editors do it."""

import pytest

from fim_lsp.tour.document import Document


def item(text, start, end, line=0):
    return {
        "insertText": text,
        "range": {
            "start": {"line": line, "character": start},
            "end": {"line": line, "character": end},
        },
    }


def shown(before, after, offered):
    document = Document(before, after)
    document.offer(offered)
    return document


@pytest.mark.parametrize(
    ("before", "after", "offered", "ghost", "replaced"),
    [
        ("x = l", "", item("en(y)", 5, 5), "en(y)", 0),
        ("x = l", "", item("len(y)", 4, 5), "en(y)", 0),
        ("f(", ")", item("a, b)", 2, 3), "a, b)", 1),
        ("名 = l", "", item("en(y)", 5, 5), "en(y)", 0),
    ],
)
def test_a_suggestion_is_what_it_adds_behind_the_cursor(before, after, offered, ghost, replaced):
    found = shown(before, after, offered).ghost

    assert (ghost, replaced) == (found.text, found.replaced)


@pytest.mark.parametrize(
    "offered", [item("y", 0, 0, line=1), item("other", 0, 3), item("x = l", 0, 5)]
)
def test_what_does_not_fit_the_typed_text_is_not_shown(offered):
    assert shown("x = l", "", offered).ghost is None


@pytest.mark.parametrize(
    ("key", "rest"), [("e", "n(y)"), ("en", "(y)"), ("x", None), ("en(y)", None)]
)
def test_typing_what_is_suggested_keeps_the_rest_of_it(key, rest):
    document = shown("l", "", item("en(y)", 1, 1))
    document.insert(key)

    assert rest == (document.ghost and document.ghost.text)


def test_words_are_taken_one_by_one():
    document = shown("self.s", "", item("ize = size", 6, 6))
    words = []
    while document.ghost:
        words.append(document.ghost.word)
        document.insert(document.ghost.word)

    assert ["ize", " =", " size"] == words
    assert "self.size = size" == document.text


def test_an_edit_says_which_part_it_replaces():
    document = Document("a\nf(", ")")

    edit = document.insert("x)", replaced=1)

    assert ({"line": 1, "character": 2}, {"line": 1, "character": 3}, "x)") == edit
    assert "a\nf(x)" == document.text


def test_nothing_is_removed_before_the_beginning():
    assert Document("", "x").delete() is None


@pytest.mark.parametrize(
    ("before", "after", "lines", "expected"),
    [
        ("ab", "c\nxyz", 1, "abc\nxy"),
        ("abc", "\n\nxyz", 1, "abc\n"),
        ("abc\nxy", "z", -1, "ab"),
        ("abc\n", "", 1, "abc\n"),
        ("abc", "", -1, "abc"),
    ],
)
def test_the_cursor_moves_by_lines_as_far_as_there_are_some(before, after, lines, expected):
    document = Document(before, after)
    document.move_lines(lines)

    assert expected == document.before
