"""Strict reading of JSON into dataclasses, with every problem in one list of sentences.

Types are those of the annotations: an int is no float and no bool, a tuple is written as a list,
unknown entries are refused, and `Annotated[int, Between(1, 9)]` bounds a number.  A union of
dataclasses is told apart by the entry `kind`, the name of the class in lower case without the
common ending ("Llama3Scaling" -> "llama3").
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from cattrs import Converter
from cattrs.cols import list_structure_factory
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn

from model_runtime.errors import shown
from model_runtime.models.limits import Between
from model_runtime.prompt.format import PromptFormat

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

KIND = "kind"
"""Entry that names the class of an object where several may stand."""


class Unfit(ValueError):
    """A value does not fit its field; the text continues the field's name."""


class Problems(ValueError):
    """A JSON object does not fit its class."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("; ".join(found))
        self.found = found


def read(raw: object, kind: type[T]) -> T:
    """Makes an instance of a dataclass from a JSON value.

    Raises:
        Problems: it does not fit; every problem is listed, each with the path of its entry.
    """
    try:
        return _converter().structure(raw, kind)
    except BaseValidationError as error:
        raise Problems(list(_told(error, ""))) from error
    except Unfit as error:
        raise Problems([str(error)]) from error


def write(instance: object) -> Any:
    """Returns the JSON value of a dataclass, which `read` takes back."""
    return _converter().unstructure(instance)


def problems(instance: object) -> list[str]:
    """Returns what `read` would say of an instance that was made in code."""
    try:
        read(write(instance), type(instance))
    except Problems as error:
        return error.found
    return []


@cache
def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for kind in _PLAIN:
        converter.register_structure_hook(kind, _plain)
    converter.register_structure_hook(float, _number)
    factories: list[tuple[Callable[[Any], bool], Callable[[Any, Converter], Hook]]] = [
        (is_dataclass, _object),
        (_is_tagged, _tagged),
        (lambda kind: get_origin(kind) is tuple, _list),
        (_is_set, _set),
        (lambda kind: get_origin(kind) is Mapping, _mapping),
        (lambda kind: get_origin(kind) is Literal, _choice),
        (lambda kind: get_origin(kind) is Annotated, _bounded),
        (lambda kind: kind is PromptFormat, lambda kind, converter: _prompt_format),
    ]
    for fits, make in factories:
        converter.register_structure_hook_factory(fits, make)
    converter.register_unstructure_hook_factory(_is_tagged, _untagged)
    converter.register_unstructure_hook(PromptFormat, PromptFormat.to_json)
    converter.register_unstructure_hook_func(_is_set, sorted)
    return converter


_PLAIN = {int: "a whole number", str: "text", bool: "true or false"}


def _plain(value: Any, kind: Any) -> Any:
    if issubclass(kind, Enum):  # one whose members are text comes here as well
        return _one_of({member.value: member for member in kind})(value, kind)
    if type(value) is not kind:
        raise Unfit(f"must be {_PLAIN[kind]}, not {shown(value)}")
    return value


def _prompt_format(value: Any, _: Any) -> PromptFormat:
    try:
        return PromptFormat.from_json(value)
    except ValueError as error:
        raise Unfit(f"cannot be used: {error}") from error


def _number(value: Any, _: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # A whole number may be too large for a float, and a float may be infinite.
    if not is_number or not -sys.float_info.max <= value <= sys.float_info.max:
        raise Unfit(f"must be a number, not {shown(value)}")
    return float(value)


def _shaped(json_type: type, name: str, inner: Hook) -> Hook:
    """Checks the JSON type before anything is taken apart."""

    def hook(value: Any, kind: Any) -> Any:
        if not isinstance(value, json_type):
            raise Unfit(f"must be {name}, not {shown(value)}")
        return inner(value, kind)

    return hook


def _object(kind: Any, converter: Converter) -> Hook:
    return _shaped(dict, "an object", make_dict_structure_fn(kind, converter))


def _list(kind: Any, converter: Converter) -> Hook:
    items = get_args(kind)
    if items[-1] is Ellipsis:
        return _shaped(list, "a list", _items(items[0], converter))
    every = _items(items[0], converter)
    name = f"a list of {len(items)} entries"

    def hook(value: Any, _: Any) -> Any:
        if len(value) != len(items):
            raise Unfit(f"must be {name}, not {shown(value)}")
        return every(value, kind)

    return _shaped(list, name, hook)


def _is_set(kind: Any) -> bool:
    return get_origin(kind) is frozenset


def _items(kind: Any, converter: Converter) -> Hook:
    """Reads all entries of a list as one type."""
    items: Any = types.GenericAlias(list, (kind,))
    every = list_structure_factory(items, converter)
    return lambda value, _: tuple(every(value, items))


def _set(kind: Any, converter: Converter) -> Hook:
    every = _items(get_args(kind)[0], converter)
    return _shaped(list, "a list", lambda value, _: frozenset(every(value, kind)))


def _mapping(kind: Any, converter: Converter) -> Hook:
    inner = get_args(kind)[1]
    if inner is Any:
        return _shaped(dict, "an object", lambda value, _: value)
    return _shaped(dict, "an object", converter.gen_structure_mapping(dict[str, inner]))  # type: ignore[valid-type]


def _choice(kind: Any, _: Converter) -> Hook:
    return _one_of({one: one for one in get_args(kind)})


def _one_of(choices: Mapping[Any, Any]) -> Hook:
    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise Unfit(f"is {shown(value)}, not one of {', '.join(choices)}")
        return choices[value]

    return hook


def _bounded(kind: Any, converter: Converter) -> Hook:
    plain, limits = get_args(kind)
    assert isinstance(limits, Between)
    inner = converter.get_structure_hook(plain)

    def hook(value: Any, _: Any) -> Any:
        found = inner(value, plain)
        if not limits.least <= found <= limits.most:
            raise Unfit(
                f"must be at least {limits.least:g} and at most {limits.most:.12g}, "
                f"not {shown(value)}"
            )
        return found

    return hook


def _classes(kind: Any) -> tuple[Any, ...]:
    """The dataclasses of a union; none where it holds anything else, None apart."""
    if get_origin(kind) not in (Union, types.UnionType):
        return ()
    members = tuple(one for one in get_args(kind) if one is not type(None))
    return members if all(is_dataclass(one) for one in members) else ()


def _is_tagged(kind: Any) -> bool:
    return len(_classes(kind)) > 1


def _tags(kind: Any) -> dict[str, Any]:
    return {one.__name__.removesuffix("Scaling").lower(): one for one in _classes(kind)}


def _tagged(kind: Any, converter: Converter) -> Hook:
    classes, may_be_none = _tags(kind), type(None) in get_args(kind)

    def hook(value: Any, _: Any) -> Any:
        if value is None and may_be_none:
            return None
        if not isinstance(value, dict) or value.get(KIND) not in classes:
            found = value.get(KIND) if isinstance(value, dict) else value
            raise Unfit(f"must be an object of the kind {' or '.join(classes)}, not {shown(found)}")
        entries = {name: entry for name, entry in value.items() if name != KIND}
        return converter.structure(entries, classes[value[KIND]])

    return hook


def _untagged(kind: Any, converter: Converter) -> Callable[[Any], Any]:
    names = {one: name for name, one in _tags(kind).items()}

    def hook(value: Any) -> Any:
        return (
            value if value is None else {KIND: names[type(value)], **converter.unstructure(value)}
        )

    return hook


def _told(error: BaseException, path: str) -> Iterator[str]:
    """Every problem within an error of cattrs, with the path of its entry."""
    if isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from _told(inner, path + _step(inner, is_first=not path))
    elif isinstance(error, ForbiddenExtraKeysError):
        separator = "." if path else ""
        known = {field.name for field in fields(error.cl)}
        yield from (
            f"unknown entry {path}{separator}{shown(name)}"
            for name in sorted(error.extra_fields)
            if name not in known
        )
    elif isinstance(error, KeyError):
        yield f"{path} is missing"
    elif isinstance(error, Unfit):
        yield f"{path} {error}"
    else:  # what the class itself raises, of entries that do not fit together
        yield f"{path}: {error}"


def _step(error: BaseException, *, is_first: bool) -> str:
    """Returns how the path goes on to the entry that an error is about."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return note.name if is_first else f".{note.name}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]" if isinstance(note.index, int) else f".{note.index}"
    return ""
