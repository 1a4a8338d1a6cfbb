"""Writes what users read of the settings, from their declaration in `fim_lsp.settings`.

    make generate

The tables of docs/settings.md and docs/servers.md and the settings of VS Code in
vscode-client/package.json, with their texts in package.nls.json, come from here.  What stands
around them, and the settings of VS Code's extension itself, are kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from fim_lsp.setting import Page, Scope, SetBy, Setting
from fim_lsp.settings import SECTION, SETTINGS
from scripts.generated import replaced, write

BEGIN = "<!-- Written by `make generate`: change fim_lsp/settings.py instead. -->"
END = "<!-- The end of what is written by `make generate`. -->"

NOT_FOR_VSCODE = frozenset({"completionFallback"})
"""Settings for editors that have no inline completion."""


_VSCODE_HINTS = {"model": " The command *FIM LSP: Select Model* lists the names."}
"""Sentences that VS Code's users read besides the documentation."""

_VSCODE_SECTIONS: Mapping[str, Sequence[str]] = {
    "suggestions": ("enabled", "eagerness", "multiline", "languages", "candidates", "keyHint"),
    "model": (
        "model", "offerModels", "engine", "device", "threads", "promptMemoryMb",
        "unloadAfterMinutes",
    ),
    "context": (
        "exclude", "crossFileContext", "contextTokens", "workspaceIndex", "projectMemory",
        "learnFromUse",
    ),
    "timing": ("debounceMs", "timeLimitMs", "maxNewTokens", "idleWork"),
    "endpoint": (
        "endpoint", "endpointModel", "endpointKeyVariable", "allowRemote", "fallbackModel",
    ),
    "program": ("interpreter", "command", "address", "logLevel", "trace.server"),
}  # fmt: skip
"""The settings by the section of VS Code's settings editor, in the order in which they are shown.

The titles of the sections are in package.nls.json.
"""


def page(text: str, of: Page = Page.SETTINGS) -> str:
    """Returns a page with its table of settings as the declaration has it.

    Raises:
        ValueError: the page lacks the marks of the table's begin and end.
    """
    settings = [setting for setting in SETTINGS.values() if setting.page is of]
    written = f"{_table(settings)}\n\n{_who_decides(settings)}"
    return replaced(text, BEGIN, END, written, of.value)


def package(text: str) -> str:
    """Returns vscode-client/package.json with the settings as the declaration has them.

    Raises:
        ValueError: a setting stands in no section.
    """
    content = json.loads(text)
    contributes = content["contributes"]
    trust = content["capabilities"]["untrustedWorkspaces"]
    schemas = {
        name.removeprefix(f"{SECTION}."): schema
        for section in contributes["configuration"]
        for name, schema in section["properties"].items()
        if name.removeprefix(f"{SECTION}.") not in SETTINGS
    }
    of_extension = {f"{SECTION}.{key}" for key in schemas}
    schemas |= {setting.key: _vscode_schema(setting) for setting in _vscode_settings()}
    if lost := schemas.keys() - {key for keys in _VSCODE_SECTIONS.values() for key in keys}:
        raise ValueError(f"no section of VS Code's settings has {', '.join(sorted(lost))}")
    contributes["configuration"] = [
        {
            "title": f"%section.{title}%",
            "order": number,
            "properties": {
                f"{SECTION}.{key}": {**schemas[key], "order": order}
                for order, key in enumerate(keys, 1)
            },
        }
        for number, (title, keys) in enumerate(_VSCODE_SECTIONS.items(), 1)
    ]
    trust["restrictedConfigurations"] = [
        *(name for name in trust["restrictedConfigurations"] if name in of_extension),
        *(f"{SECTION}.{setting.key}" for setting in _vscode_settings() if _needs_trust(setting)),
    ]
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def package_texts(text: str) -> str:
    """Returns vscode-client/package.nls.json with the settings as the declaration has them."""
    texts = {
        **json.loads(text),
        **{
            f"setting.{setting.key}": setting.documentation + _VSCODE_HINTS.get(setting.key, "")
            for setting in _vscode_settings()
        },
    }
    return json.dumps(texts, indent=2, ensure_ascii=False) + "\n"


def _vscode_settings() -> list[Setting]:
    return [setting for setting in SETTINGS.values() if setting.key not in NOT_FOR_VSCODE]


FILES: dict[str, Callable[[str], str]] = {
    **{of.value: partial(page, of=of) for of in Page},
    "vscode-client/package.json": package,
    "vscode-client/package.nls.json": package_texts,
}
"""Files below the repository's root, each with the function that brings its text up to date."""


def _table(settings: Iterable[Setting]) -> str:
    rows = ["| setting | default | what it does |", "|---|---|---|"]
    for setting in settings:
        default = json.dumps(setting.as_json(setting.default))
        rows.append(f"| `{setting.key}` | `{default}` | {_meaning(setting)} |")
    return "\n".join(rows)


def _meaning(setting: Setting) -> str:
    choices = setting.type.schema.get("enum")
    return setting.documentation + (f" One of {_names(choices, 'or')}." if choices else "")


def _who_decides(settings: Sequence[Setting]) -> str:
    shared = _names(s.key for s in settings if s.scope is Scope.PROCESS)
    found = [
        f"A server that several editors share has one value of {shared}: that of its command line."
    ]
    if trusted := _names(s.key for s in settings if _needs_trust(s)):
        found.append(f"VS Code takes {trusted} only from you and from folders that you trust.")
    if own := _names(s.key for s in settings if s.set_by is SetBy.USER):
        found.append(f"VS Code takes {own} only from your own settings on this machine.")
    return "\n".join(found)


def _vscode_schema(setting: Setting) -> dict[str, Any]:
    return {
        **setting.type.schema,
        "default": setting.as_json(setting.default),
        **_vscode_scope(setting),
        "markdownDescription": f"%setting.{setting.key}%",
    }


def _vscode_scope(setting: Setting) -> dict[str, str]:
    """Returns where VS Code takes a setting from.

    A process, and what it is made of, belong to a machine, so they are not synchronized.
    """
    if setting.set_by is SetBy.USER:
        return {"scope": "machine"}
    return {"scope": "machine-overridable"} if setting.scope is Scope.PROCESS else {}


def _needs_trust(setting: Setting) -> bool:
    return setting.set_by is SetBy.TRUSTED_PROJECT


def _names(names: Iterable[str], conjunction: str = "and") -> str:
    *others, last = [f"`{name}`" for name in names] or [""]
    return f"{', '.join(others)} {conjunction} {last}" if others else last


if __name__ == "__main__":
    write(FILES)
