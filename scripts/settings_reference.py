"""Writes what users read of the settings, from their declaration in `fim_lsp.settings`.

    make generate

The tables of docs/settings.md and docs/servers.md and the settings of VS Code in
vscode-client/package.json come from here.  What stands around them, and the settings of VS Code's
extension itself, are kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
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


def page(text: str, of: Page = Page.SETTINGS) -> str:
    """Returns a page with its table of settings as the declaration has it.

    Raises:
        ValueError: the page lacks the marks of the table's begin and end.
    """
    settings = [setting for setting in SETTINGS.values() if setting.page is of]
    written = f"{_table(settings)}\n\n{_who_decides(settings)}"
    return replaced(text, BEGIN, END, written, of.value)


def package(text: str) -> str:
    """Returns vscode-client/package.json with the settings as the declaration has them."""
    content = json.loads(text)
    configuration = content["contributes"]["configuration"]
    trust = content["capabilities"]["untrustedWorkspaces"]
    declared = [setting for setting in SETTINGS.values() if setting.key not in NOT_FOR_VSCODE]
    of_server = {
        f"{SECTION}.{setting.key}": _vscode_schema(setting, order)
        for order, setting in enumerate(declared, 1)
    }
    of_extension = {
        name: schema
        for name, schema in configuration["properties"].items()
        if name.removeprefix(f"{SECTION}.") not in SETTINGS
    }
    for order, schema in enumerate(of_extension.values(), len(of_server) + 1):
        schema["order"] = order
    configuration["properties"] = {**of_server, **of_extension}
    trust["restrictedConfigurations"] = [
        *(name for name in trust["restrictedConfigurations"] if name in of_extension),
        *(f"{SECTION}.{setting.key}" for setting in declared if _needs_trust(setting)),
    ]
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


FILES: dict[str, Callable[[str], str]] = {
    **{of.value: partial(page, of=of) for of in Page},
    "vscode-client/package.json": package,
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


def _vscode_schema(setting: Setting, order: int) -> dict[str, Any]:
    return {
        **setting.type.schema,
        "default": setting.as_json(setting.default),
        "order": order,
        **_vscode_scope(setting),
        "markdownDescription": setting.documentation + _VSCODE_HINTS.get(setting.key, ""),
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
