"""Hypothesis strategies for the messages of LSP, made from the types of lsprotocol.

What comes out has the right structure and any content; `misshapen` then spoils a part of it.
"""

from __future__ import annotations

import enum
import functools
import random
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from hypothesis import strategies as st
from lsprotocol import types as lsp

from tests.support.naive_text import texts

OTHERS = [f"file:///elsewhere/{number}.py" for number in range(4)]
ODD_NAMES = [
    "",
    "x",
    "file:",
    "file:///",
    "file:///a%zz",
    "untitled:1",
    "https://x/y",
    "\x00",
    "a" * 500,
]
"""Names of documents that no editor of the test has open."""
NUMBERS = [0, 1, 2, 7, 100, 2**31 - 1, 2**31, 2**53, -1, -(2**31), 10**30]
_MAX_DEPTH = 5

json_values = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def methods() -> list[str]:
    """Methods that a client may send, but for those that end the conversation or begin it."""
    ends = {lsp.EXIT, lsp.SHUTDOWN, lsp.INITIALIZE}
    return [
        method
        for method in sorted(lsp.METHOD_TO_TYPES)
        if method not in ends and lsp.message_direction(method) != "serverToClient"
    ]


def messages() -> st.SearchStrategy[dict[str, Any]]:
    """Any message of any method that a client may send, without an id."""
    return st.sampled_from(methods()).flatmap(_message)


def _message(method: str) -> st.SearchStrategy[dict[str, Any]]:
    params = lsp.METHOD_TO_TYPES[method][2]
    content = st.none() if params is None else of_type(params)
    return content.map(lambda params: {"method": method, "params": params})


@functools.cache
def of_type(kind: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a type, as JSON has them."""
    if attrs.has(kind):
        return _object(kind, depth)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([of_type(argument, depth) for argument in arguments])
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from([member.value for member in kind])
    if origin is tuple:
        return st.tuples(*(of_type(a, depth) for a in arguments if a is not ...)).map(list)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(texts, of_type(arguments[1], depth + 1), max_size=2)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        most = 2 if depth < _MAX_DEPTH else 0
        return st.lists(of_type(arguments[0], depth + 1), max_size=most)
    plain = {bool: st.booleans(), int: st.sampled_from(NUMBERS), type(None): st.none()}
    plain |= {float: st.floats(allow_nan=False), str: texts}
    return plain.get(kind, json_values)


def _object(kind: type, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    attrs.resolve_types(kind, vars(lsp), {})
    needed, others = {}, {}
    for field in attrs.fields(kind):
        name = _json_name(field.name)
        values = _names if name in ("uri", "oldUri", "newUri") else of_type(field.type, depth + 1)
        (needed if field.default is attrs.NOTHING else others)[name] = values
    if depth >= _MAX_DEPTH:
        others = {}
    return st.fixed_dictionaries(needed, optional=others)


_names = st.sampled_from([*OTHERS, *ODD_NAMES])


def _json_name(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name.rstrip("_"))


def misshapen(message: dict[str, Any], chance: random.Random, spare: list[Any]) -> dict[str, Any]:
    """Returns a message of whose parameters a few are others, or are missing."""
    params = message["params"]
    for _ in range(chance.randint(1, 3)):
        params = _spoiled(params, chance, spare)
    return {**message, "params": params}


def _spoiled(value: Any, chance: random.Random, spare: list[Any]) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        if chance.random() < 0.2:
            return {name: kept for name, kept in value.items() if name != key}
        return {**value, key: _spoiled(value[key], chance, spare)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], _spoiled(value[place], chance, spare), *value[place + 1 :]]
    return chance.choice(spare)
