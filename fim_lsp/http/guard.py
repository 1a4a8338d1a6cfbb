"""Keeps out web pages, other hosts' names, other users, and whoever does not know the token.

A page in a browser can send requests to this machine: across origins with `Origin` or `Sec-Fetch-*`
headers, which no page can leave out, and under a name of its own that it makes point here (DNS
rebinding), with that name in `Host`.  No editor sends either.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fim_lsp.http.errors import ApiError, llama_cpp_error
from fim_lsp.http.peer_user import is_another_user

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Hands on the requests of programs that may use the server."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], token: str | None) -> None:
        """Takes what a request must have.

        Args:
            app: gets the requests.
            hosts: names and addresses of this server, beside those of this machine.
            token: proof that the client may use the server; None where the user's programs may.
        """
        self._app = app
        self._hosts = _LOCAL_NAMES | {host.lower() for host in hosts if host}
        self._authorization = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Implements ASGI."""
        if scope["type"] == "http" and (error := self._error(scope)) is not None:
            # An answer before the body is read must end the connection.
            headers = {**error.headers, "Connection": "close"}
            body = llama_cpp_error(error)
            await JSONResponse(body, error.status, headers)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _error(self, scope: Scope) -> ApiError | None:
        headers = Headers(scope=scope)
        if not self._is_ours(headers.get("host", "")):
            return _refused("the Host header names another server; use the address of this one")
        # A user who opens the address in a browser sends "none".
        if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
            return _refused("web pages may not use this server; ask it from a program")
        if self._authorization is not None:
            given = headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, self._authorization):
                return ApiError(
                    401,
                    "the server's token is missing or wrong; send Authorization: Bearer TOKEN",
                    "authentication_error",
                    "invalid_api_key",
                )
        elif _is_of_another_user(scope):
            return _refused("this server is another user's; start one of your own")
        return None

    def _is_ours(self, host: str) -> bool:
        name = _without_port(host.strip().lower())
        return name in self._hosts or _normal(name) in self._hosts


def _is_of_another_user(scope: Scope) -> bool:
    client, server = scope.get("client"), scope.get("server")
    if not client or not server:
        return False
    return is_another_user(tuple(client), tuple(server))


def _refused(message: str) -> ApiError:
    return ApiError(403, message, "permission_error")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _normal(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
