"""Declares settings: beside each field its default, its range, and the keys of a table."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import attrs

_RULES = "rules"
Rule = Callable[[Any], str]
"""Says what is wrong with a value; empty if nothing is."""


def setting(default: Any, *rules: Rule) -> Any:
    """Returns a field with a default value and rules for its values."""
    if isinstance(default, dict):
        return attrs.field(factory=default.copy, metadata={_RULES: rules})
    return attrs.field(default=default, metadata={_RULES: rules})


def at_least(low: float) -> Rule:
    """Returns the rule that a number is `low` or more."""
    return lambda value: "" if value >= low else f"it must be {low} or more"


def share(*, above_zero: bool = False, below_one: bool = False) -> Rule:
    """Returns the rule that a number is a share from 0 to 1, with or without its ends."""
    low, high = "above 0" if above_zero else "0", "below 1" if below_one else "1"

    def rule(value: float) -> str:
        is_low = value > 0 if above_zero else value >= 0
        is_high = value < 1 if below_one else value <= 1
        return "" if is_low and is_high else f"it is a share from {low} to {high}"

    return rule


def not_empty(value: Collection[Any]) -> str:
    """Refuses a list without entries."""
    return "" if value else "it is empty, so nothing could be read"


def keys_of(known: Collection[str]) -> Rule:
    """Returns the rule that a table has no other keys than these."""

    def rule(value: Mapping[str, Any]) -> str:
        wrong = [key for key in value if key not in known]
        return ", ".join(
            f"it has no {key!r}; the nearest is {nearest(key, known)!r}" for key in wrong
        )

    return rule


def weights(value: Mapping[str, float]) -> str:
    """Refuses weights of which none is above 0, or one is below."""
    if value and min(value.values()) >= 0 and sum(value.values()):
        return ""
    return "it needs at least one weight above 0, and none below"


def nearest(word: str, known: Collection[str]) -> str:
    """Returns the known word that is most like this one."""
    return difflib.get_close_matches(word, known, n=1, cutoff=0.0)[0]


def broken_rules(section: Any, name: str) -> Iterator[str]:
    """Yields a sentence for each rule that a section's values break; sections may be nested."""
    for field in attrs.fields(type(section)):
        value, key = getattr(section, field.name), f"{name}.{field.name}".lstrip(".")
        if attrs.has(type(value)):
            yield from broken_rules(value, key)
        for rule in field.metadata.get(_RULES, ()):
            if problem := rule(value):
                yield f"{key} is {value!r}; {problem}"
