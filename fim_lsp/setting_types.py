"""The types that settings may have: each reads a value, says what it expects, and has a schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeGuard

from model_runtime.store.names import depends_on_the_working_folder

_MAX_TEXT = 2000


class SettingType(Protocol):
    """Describes the values that a setting may have."""

    @property
    def expected(self) -> str:
        """The permitted values in words, to follow "must be"."""
        ...

    @property
    def schema(self) -> dict[str, Any]:
        """The permitted values as a JSON schema."""
        ...

    @property
    def read(self) -> Callable[[object], Any]:
        """Returns the value to keep, which can be compared and hashed.

        Takes a value from JSON, or one that was kept before; raises ValueError for others.
        """
        ...


class Described(NamedTuple):
    """A type that is described once and for all."""

    expected: str
    schema: dict[str, Any]
    read: Callable[[object], Any]


class OneOf:
    """The type of one of several words, which may become more while the program runs."""

    def __init__(self, choices: Callable[[], Sequence[str]]) -> None:
        self._choices = choices

    @property
    def expected(self) -> str:
        """Lists the words."""
        return f"one of {', '.join(self._choices())}"

    @property
    def schema(self) -> dict[str, Any]:
        """Lists the words."""
        return {"type": "string", "enum": list(self._choices())}

    def read(self, value: object) -> str:
        """Returns the value if it is one of the words."""
        if value in self._choices():
            return str(value)
        raise ValueError


def one_of(*choices: str) -> OneOf:
    """Returns the type of one of several words."""
    return OneOf(lambda: choices)


def number(minimum: float, maximum: float) -> Described:
    """Returns the type of numbers in a range, the ends included."""

    def read(value: object) -> float:
        if _is_number(value) and minimum <= value <= maximum:
            return float(value)
        raise ValueError

    return Described(
        f"a number from {minimum:g} to {maximum:g}",
        {"type": "number", "minimum": minimum, "maximum": maximum},
        read,
    )


def whole_number(minimum: int, maximum: int) -> Described:
    """Returns the type of whole numbers in a range, the ends included; 2.0 is one, too."""

    def read(value: object) -> int:
        if _is_number(value) and minimum <= value <= maximum and value == int(value):
            return int(value)
        raise ValueError

    return Described(
        f"a whole number from {minimum} to {maximum}",
        {"type": "integer", "minimum": minimum, "maximum": maximum},
        read,
    )


def auto_or(other: SettingType) -> Described:
    """Returns the type of the word "auto" or a value of another type, which is not text."""

    def read(value: object) -> Any:
        return value if value == "auto" else other.read(value)

    schema = {**other.schema, "type": [other.schema["type"], "string"], "pattern": "^auto$"}
    return Described(f"auto or {other.expected}", schema, read)


def auto_all_or_some(*choices: str) -> Described:
    """Returns the type of "auto", all of several words (true), none (false), or a list of some."""

    def read(value: object) -> str | bool | tuple[str, ...]:
        if value == "auto":
            return "auto"
        if isinstance(value, bool):
            return value
        if isinstance(value, list | tuple) and all(word in choices for word in value):
            return tuple(value)
        raise ValueError

    return Described(
        f"auto, true, false or a list of {', '.join(choices)}",
        {
            "type": ["boolean", "string", "array"],
            "pattern": "^auto$",
            "items": {"enum": list(choices)},
        },
        read,
    )


def list_of(what: str) -> Described:
    """Returns the type of a list of texts, which are named in the plural; kept as a tuple."""
    return Described(f"a list of {what}", {"type": "array", "items": {"type": "string"}}, _texts)


def switches_of(what: str) -> Described:
    """Returns the type of a map from names to booleans, or a list of names to switch off.

    The values are kept as sorted pairs.
    """

    def read(value: object) -> tuple[tuple[str, bool], ...]:
        if isinstance(value, tuple) and all(isinstance(pair, tuple) for pair in value):
            value = dict(value)
        elif isinstance(value, list):
            value = dict.fromkeys(_texts(value), False)
        if isinstance(value, Mapping) and all(isinstance(on, bool) for on in value.values()):
            return tuple(sorted((str(name), on) for name, on in value.items()))
        raise ValueError

    return Described(
        f"a map from {what} to true or false",
        {"type": "object", "additionalProperties": {"type": "boolean"}},
        read,
    )


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


def _model_name(value: object) -> str:
    """Refuses a path that a server in another folder would take for another model."""
    is_name = isinstance(value, str) and value.strip()
    if is_name and not depends_on_the_working_folder(str(value)):
        return str(value)
    raise ValueError


def _text(value: object) -> str:
    if isinstance(value, str) and len(value) <= _MAX_TEXT and (value.isprintable() or not value):
        return value.strip()
    raise ValueError


def _texts(value: object) -> tuple[str, ...]:
    if value == {}:  # what an empty Lua table may become
        return ()
    if isinstance(value, list | tuple) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise ValueError


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


BOOLEAN = Described("true or false", {"type": "boolean"}, _boolean)

MODEL_NAME = Described(
    "the name of a model, or its folder from the root or ~ on",
    {"type": "string", "minLength": 1},
    _model_name,
)

OPTIONAL_MODEL_NAME = Described(
    "the name of a model, its folder from the root or ~ on, or empty",
    {"type": "string"},
    lambda value: "" if value == "" else _model_name(value),
)

TEXT = Described("a text on one line", {"type": "string"}, _text)
