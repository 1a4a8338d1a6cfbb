"""Reads a recipe from its TOML file; every problem that it has is told in one message.

`extends = "NAME"` begins with another recipe of the same folder; the keys of a section are then
those that differ.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import attrs
from cattrs import (
    AttributeValidationNote,
    ClassValidationError,
    Converter,
    ForbiddenExtraKeysError,
    IterableValidationError,
)
from cattrs.gen import make_dict_structure_fn

from model_runtime.training.recipe.checks import problems_of
from model_runtime.training.recipe.settings import nearest
from model_runtime.training.recipe.whole import Recipe
from model_runtime.training.recipe_files import RecipeError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_recipe(path: Path) -> Recipe:
    """Returns the recipe in a TOML file.

    Raises:
        RecipeError: the file cannot be read, or keys or values are wrong; the message names them
            all.
    """
    content = _read(path, ())
    content["name"] = content.get("name", path.stem)
    try:
        recipe = _CONVERTER.structure(content, Recipe)
    except ClassValidationError as error:
        raise RecipeError(f"{path.name}: {'; '.join(_wrong_values(error, ''))}") from error
    if problems := list(problems_of(recipe)):
        raise RecipeError(f"{path.name}: {'; '.join(problems)}")
    return recipe


def _read(path: Path, readers: tuple[Path, ...]) -> dict[str, Any]:
    """Lays the file's tables over those of the recipe that it extends, key by key."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} is not a readable recipe ({error})") from error
    base = content.pop("extends", None)
    if base is None:
        return content
    base_path = path.parent / f"{base}.toml"
    if not base_path.is_file():
        known = [other.stem for other in path.parent.glob("*.toml") if other != path]
        hint = f"; the nearest is {nearest(str(base), known)!r}" if known else ""
        raise RecipeError(f"{path.name} extends {base!r}, but there is no {base_path}{hint}")
    if base_path in readers:
        raise RecipeError(f"{path.name} extends {base!r}, which extends {path.stem!r} in turn")
    merged = _read(base_path, (*readers, path))
    merged.pop("name", None)
    for key, value in content.items():
        is_table = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = {**merged[key], **value} if is_table else value
    return merged


def _wrong_values(error: BaseException, key: str) -> Iterator[str]:
    """Yields a sentence for each unknown key and each value of a wrong type."""
    if isinstance(error, (ClassValidationError, IterableValidationError)):
        noted, others = error.group_exceptions()
        for inner, note in noted:
            name = note.name if isinstance(note, AttributeValidationNote) else note.index
            yield from _wrong_values(inner, f"{key}.{name}".lstrip("."))
        for inner in others:
            yield from _wrong_values(inner, key)
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(error.cl)]
        for name in sorted(error.extra_fields):
            where = key or "a recipe"
            yield f"{where} has no key {name!r}; the nearest right one is {nearest(name, known)!r}"
    else:
        yield f"{key} {error}"


def _converter() -> Converter:
    """Returns a converter that takes no text for a number, and no number for a truth value."""
    converter = Converter(forbid_extra_keys=True)
    for kind in (str, bool, int, float):
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook_func(_is(Literal), _one_of)
    converter.register_structure_hook_func(
        _is(tuple),
        lambda value, kind: _tuple_of(value, kind, converter),
    )
    converter.register_structure_hook_func(
        _is(dict),
        lambda value, kind: _table_of(value, kind, converter),
    )
    converter.register_structure_hook_factory(attrs.has, lambda kind: _section(kind, converter))
    return converter


def _is(origin: Any) -> Callable[[Any], bool]:
    return lambda kind: bool(typing.get_origin(kind) == origin)


def _exactly(value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"is {value!r}, which is not {kind.__name__}")
    return value


def _one_of(value: Any, kind: Any) -> Any:
    choices = typing.get_args(kind)
    if value not in choices:
        raise ValueError(f"is {value!r}; it may be {' or '.join(map(repr, choices))}")
    return value


def _tuple_of(value: Any, kind: Any, converter: Converter) -> tuple[Any, ...]:
    inner, *others = typing.get_args(kind)
    wanted = None if others == [...] else 1 + len(others)
    if not isinstance(value, list) or wanted not in (None, len(value)):
        raise TypeError(f"is {value!r}, which is not a list" + (f" of {wanted}" if wanted else ""))
    return tuple(converter.structure(entry, inner) for entry in value)


def _table_of(value: Any, kind: Any, converter: Converter) -> dict[str, Any]:
    inner = typing.get_args(kind)[1]
    return {key: converter.structure(entry, inner) for key, entry in _table(value).items()}


def _section(kind: type, converter: Converter) -> Callable[[Any, type], Any]:
    structure: Callable[[Any, type], Any] = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=True
    )
    return lambda value, _: structure(_table(value), kind)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"is {value!r}, which is not a table")
    return value


_CONVERTER = _converter()
