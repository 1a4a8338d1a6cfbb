"""The settings of a server that runs the model, where `engine` is one."""

from __future__ import annotations

from dataclasses import dataclass

from fim_lsp.setting import Page, Scope, SetBy, declare
from fim_lsp.setting_types import BOOLEAN, OPTIONAL_MODEL_NAME, TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Says which server is asked, and whether it may be on another machine.

    What decides where code is sent is the user's alone: no project may make it.
    """

    endpoint: str = declare(
        "",
        TEXT,
        "Address of the server that runs the model, as in `http://127.0.0.1:8080`; needed where "
        "`engine` is a server.",
        scope=Scope.PROCESS,
        set_by=SetBy.USER,
        page=Page.SERVERS,
    )
    endpoint_model: str = declare(
        "",
        TEXT,
        "Name that the server has for the model; empty where it serves one alone.",
        scope=Scope.PROCESS,
        page=Page.SERVERS,
    )
    endpoint_key_variable: str = declare(
        "",
        TEXT,
        "Name of the environment variable that holds the key to the server; the key itself stands "
        "in no settings.",
        scope=Scope.PROCESS,
        set_by=SetBy.USER,
        page=Page.SERVERS,
    )
    allow_remote: bool = declare(
        False,
        BOOLEAN,
        "Let `endpoint` be on another machine, to which your code is sent then.",
        scope=Scope.PROCESS,
        set_by=SetBy.USER,
        page=Page.SERVERS,
    )
    fallback_model: str = declare(
        "",
        OPTIONAL_MODEL_NAME,
        "Model that answers while the server does not, such as `default`, the embedded one; empty "
        "for none.",
        scope=Scope.PROCESS,
        set_by=SetBy.TRUSTED_PROJECT,
        page=Page.SERVERS,
    )
