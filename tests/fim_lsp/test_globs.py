"""Globs match what git's own do, and in a time that no glob can stretch."""

from __future__ import annotations

import pytest

from fim_lsp.globs import GlobError, Rule, Rules, expression


def rules(*globs: str) -> Rules:
    return Rules(Rule(glob, glob) for glob in globs)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("a", "a"),
        ("**/a", "a"),
        ("**/a", "x/y/a"),
        ("a/**", "a/b/c"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/x/y/b"),
        ("a/***/**/b", "a/x/y/b"),
        ("**/b/*/d/**/e", "b/b/c/d/x/d/e"),
        ("*a*b", "xabyb"),
        ("a**b", "axxb"),
        ("?[a-c][!a-c]", "xbz"),
        ("[]a]", "]"),
        ("[[:digit:][:upper:]]", "7"),
        (r"\*", "*"),
        ("a.b", "a.b"),
        ("**", "a/b"),
    ],
)
def test_a_glob_matches(glob: str, path: str):
    found = rules(glob).last(path)

    assert found is not None
    assert glob == found.text


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("a", "b/a"),
        ("*", "a/b"),
        ("a*b", "a/b"),
        ("a?b", "a/b"),
        ("a[/]b", "a/b"),
        ("a[!x]b", "a/b"),
        ("a/**", "a"),
        ("a/**/b", "axb"),
        ("**/a/b", "a/x/b"),
        ("[z-a]", "m"),
        ("a.b", "axb"),
        ("//a", "a"),
    ],
)
def test_a_glob_does_not_match(glob: str, path: str):
    assert rules(glob).last(path) is None


@pytest.mark.parametrize("glob", ["[", "a[b", "[!", "[]", "[[:digit:]", "a\\"])
def test_a_glob_that_means_nothing_says_why(glob: str):
    with pytest.raises(GlobError, match=r"bracket is not closed|nothing behind"):
        expression(glob)


def test_the_last_rule_that_matches_decides_and_may_take_back():
    ordered = Rules([Rule("*.py", "**/*.py"), Rule("!a.py", "**/a.py", is_negated=True)])

    found = ordered.last("x/a.py"), ordered.last("x/b.py"), ordered.last("x/c.js")

    assert ["!a.py", "*.py", None] == [rule and rule.text for rule in found]


def test_a_rule_for_folders_is_none_for_files():
    folders = Rules([Rule("a/", "**/a", is_for_folders=True)])

    assert folders.last("x/a") is None
    assert folders.last("x/a", is_folder=True) is not None


HARD = [
    ("**/" + "*a" * 12 + "b", "a" * 250),
    ("**/" + "*a" * 200 + "b", "a" * 250),
    ("**/" + "*?" * 200 + "b", "a" * 250),
    ("**/" + "[ab]*" * 100 + "c", "ab" * 120),
    ("**/" + "*a/" * 20 + "b", "a/" * 90 + "a"),
    ("**/" + "a/**/" * 20 + "b", "a/" * 90 + "a"),
    ("**/" + "*a*a/**/" * 20 + "b", "aaaa/" * 90 + "a"),
    ("**/" + "*" * 300 + "b", "a" * 250),
]


@pytest.mark.parametrize(("glob", "path"), HARD)
def test_no_glob_is_tried_in_more_ways_than_one(glob: str, path: str):
    """A match that tries other ways, too, does not end within a lifetime."""
    assert rules(glob).last(path) is None
