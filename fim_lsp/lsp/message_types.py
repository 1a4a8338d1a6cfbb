"""Prepares messages for their types, and says in words what does not fit."""

from __future__ import annotations

from typing import Any

from cattrs import transform_error
from lsprotocol.types import ErrorCodes, ResponseError

_INTEGERS = range(-(2**31), 2**31)
"""Numbers that the standard takes for an `integer`."""
_INTERNAL_ERROR = ErrorCodes.InternalError.value
_NEEDED_FOR_INITIALIZE = (
    "processId",
    "clientInfo",
    "rootPath",
    "rootUri",
    "workspaceFolders",
    "initializationOptions",
)
_NEEDED_CAPABILITIES = {
    "general": ("positionEncodings",),
    "window": ("workDoneProgress",),
    "workspace": ("configuration", "fileOperations"),
    "notebookDocument": ("synchronization",),
}


def is_id(value: object) -> bool:
    """Tells whether a message may have a value for its `id`.

    >>> is_id(1), is_id("1"), is_id(None), is_id(True), is_id([1])
    (True, True, False, False, False)
    """
    return isinstance(value, str | int) and not isinstance(value, bool)


def needed_of_initialize(data: dict[str, Any]) -> dict[str, Any]:
    """Returns an `initialize` without all that is not used here.

    lsprotocol's enumerations are closed: one symbol kind of a later standard would keep a client
    out.  And to build the types for all that an editor can do would cost a twentieth of a second.
    """
    given = data.get("params")
    params = given if isinstance(given, dict) else {}
    offered = params.get("capabilities")
    capabilities = offered if isinstance(offered, dict) else {}
    needed = {name: params[name] for name in _NEEDED_FOR_INITIALIZE if name in params}
    needed["capabilities"] = {
        part: {name: capabilities[part][name] for name in names if name in capabilities[part]}
        for part, names in _NEEDED_CAPABILITIES.items()
        if isinstance(capabilities.get(part), dict)
    }
    return {**data, "params": needed}


def error_of(given: Any) -> ResponseError:
    """Returns the error of a reply to a request of ours, whatever the client has put there.

    >>> error_of({"code": 2**40, "message": None})
    ResponseError(code=-32603, message='no reason given', data=None)
    """
    fields = given if isinstance(given, dict) else {}
    code = fields.get("code")
    return ResponseError(
        code=code if isinstance(code, int) and code in _INTEGERS else _INTERNAL_ERROR,
        message=str(fields.get("message") or "no reason given"),
    )


def explain_misfit(error: Exception) -> str:
    """Returns what does not fit, by path; holds no values, which may be code."""
    try:
        return "; ".join(transform_error(error, path="message"))
    except Exception:
        return kind_of(error)


def kind_of(error: BaseException) -> str:
    """Returns the name of an error's type; its text may hold code."""
    return type(error).__name__
