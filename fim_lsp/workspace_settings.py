"""Decides which settings may come with a folder, which is perhaps somebody else's.

A client that knows where a value stands sends those of the folder apart:

    {"eagerness": 0.5, "workspace": {"model": "./theirs"}, "workspaceTrusted": false}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fim_lsp.setting import SetBy
from fim_lsp.settings import SETTINGS

FROM_WORKSPACE, WORKSPACE_TRUSTED = "workspace", "workspaceTrusted"
"""Keys of the section: the settings that a folder brings, and whether the user trusts it."""


def allowed_to_a_folder(section: object, *, is_trusted: bool) -> tuple[dict[str, Any], list[str]]:
    """Returns the settings that a folder may make, and a sentence for each that it may not.

    Args:
        section: settings by the names that users know.
        is_trusted: whether the user trusts the folder.
    """
    if not isinstance(section, Mapping):
        return {}, [f"{FROM_WORKSPACE} must be an object"]
    allowed, refused = {}, []
    for key, value in section.items():
        setting = SETTINGS.get(key)
        may = {SetBy.ANY_PROJECT, SetBy.TRUSTED_PROJECT} if is_trusted else {SetBy.ANY_PROJECT}
        if setting is None or setting.set_by in may:
            allowed[key] = value
        else:
            who = "the user alone" if setting.set_by is SetBy.USER else "a folder that you trust"
            refused.append(f"this folder sets {key}, which is for {who}")
    return allowed, refused
