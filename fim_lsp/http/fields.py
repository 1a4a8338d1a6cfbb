"""Reads the fields of a JSON body, and says which one is wrong.  Unknown fields are ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fim_lsp.http.errors import ApiError, wrong_type

_SURROGATE = re.compile("[\ud800-\udfff]")


class Fields:
    """An object of a body; a field that is null counts as left out."""

    def __init__(self, raw: Mapping[str, Any], path: str = "") -> None:
        self._raw = raw
        self._path = path

    def __contains__(self, name: str) -> bool:
        return self._raw.get(name) is not None

    def raw(self, name: str) -> Any:
        """Returns a value as it came; None where it is left out."""
        return self._raw.get(name)

    def text(self, name: str, default: str | None = None) -> str:
        """Returns a string; lone surrogates in it become U+FFFD.

        Raises:
            ApiError: it is something else, or is left out and has no default.
        """
        value = self._raw.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise ApiError(400, f'"{self._path}{name}" is required')
        if not isinstance(value, str):
            raise wrong_type(self._path + name, "a string", value)
        return _SURROGATE.sub("\ufffd", value)

    def whole(self, name: str) -> int | None:
        """Returns a whole number; None where it is left out.

        Raises:
            ApiError: it is something else.
        """
        value = self._raw.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise wrong_type(self._path + name, "a whole number", value)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Returns a boolean.

        Raises:
            ApiError: it is something else.
        """
        value = self._raw.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise wrong_type(self._path + name, "true or false", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns a list of strings, of which one may stand alone; empty ones are left out.

        Raises:
            ApiError: it is something else.
        """
        value = self._raw.get(name)
        if value is None:
            return ()
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise wrong_type(self._path + name, "a string or a list of strings", value)
        return tuple(_SURROGATE.sub("\ufffd", text) for text in texts if text)

    def object(self, name: str) -> Fields:
        """Returns an object; an empty one where it is left out.

        Raises:
            ApiError: it is something else.
        """
        value = self._raw.get(name)
        if value is not None and not isinstance(value, dict):
            raise wrong_type(self._path + name, "an object", value)
        return Fields(value or {}, f"{self._path}{name}.")

    def objects(self, name: str) -> list[Fields]:
        """Returns a list of objects; an empty one where it is left out.

        Raises:
            ApiError: it is something else.
        """
        value = self._raw.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise wrong_type(self._path + name, "a list of objects", value)
        return [Fields(one, f"{self._path}{name}[{at}].") for at, one in enumerate(value)]
