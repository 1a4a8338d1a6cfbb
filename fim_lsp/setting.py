"""The declaration of a setting, which stands beside its field of `fim_lsp.settings.Settings`."""

from __future__ import annotations

import re
from dataclasses import field, fields
from enum import Enum
from typing import Any, NamedTuple

from fim_lsp.setting_types import SettingType


class SetBy(Enum):
    """Says who may make a setting; editors that know of trust see to it."""

    ANY_PROJECT = "the user, or any project"
    TRUSTED_PROJECT = "the user, or a project that the user trusts"
    USER = "the user alone, on each machine"


class Scope(Enum):
    """Says what has one value of a setting."""

    EDITOR = "an editor"
    PROCESS = "a server, whatever editors share it"


class Page(Enum):
    """Names the page that documents a setting, by its file."""

    SETTINGS = "docs/settings.md"
    SERVERS = "docs/servers.md"


class Setting(NamedTuple):
    """The declaration of one setting."""

    name: str
    """The name in Python, such as debounce_ms."""
    type: SettingType
    default: object
    """The default, as the server has it."""
    documentation: str
    """One or two sentences for users, in Markdown without links."""
    scope: Scope
    set_by: SetBy
    page: Page

    @property
    def key(self) -> str:
        """The name that users know, such as debounceMs."""
        return re.sub("_(.)", lambda letter: letter[1].upper(), self.name)

    def as_json(self, value: object) -> object:
        """Returns a value of this setting as a user writes it."""
        if isinstance(value, tuple):
            return dict(value) if self.type.schema["type"] == "object" else list(value)
        return value


def declare(
    default: object,
    type_: SettingType,
    documentation: str,
    *,
    scope: Scope = Scope.EDITOR,
    set_by: SetBy = SetBy.ANY_PROJECT,
    page: Page = Page.SETTINGS,
) -> Any:
    """Returns a field of a dataclass that describes a setting."""
    metadata = {
        "type": type_,
        "documentation": documentation,
        "scope": scope,
        "set_by": set_by,
        "page": page,
    }
    return field(default=default, metadata=metadata)


def declared_in(settings: type[Any]) -> dict[str, Setting]:
    """Returns the declarations of a class by the names that users know, in their order.

    Those of the page of all settings come first.
    """
    found = [Setting(one.name, default=one.default, **one.metadata) for one in fields(settings)]
    found.sort(key=lambda declaration: declaration.page is not Page.SETTINGS)
    return {declaration.key: declaration for declaration in found}
