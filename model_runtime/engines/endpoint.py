"""Says where a server is that runs a model, and refuses the places that nobody has allowed.

Code leaves this machine only for an address that its user has named, so that is checked here,
before anything is opened.  A name is loopback only where it is spelled so; none is looked up.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from model_runtime.errors import EngineUnavailable, shown

_LOOPBACK_NAMES = ("localhost", "localhost.")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Names a server as the settings do."""

    url: str = ""
    """Address, as in http://127.0.0.1:8080; empty where none is named."""
    model: str = ""
    """Name that the server has for the model; empty where it serves one alone."""
    key_variable: str = ""
    """Name of the environment variable that holds the key to the server; empty for none."""
    allow_remote: bool = False
    """Whether the user has allowed an address on another machine."""


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address of a server."""

    url: str
    """Scheme, host, port and perhaps a path, without a slash at the end."""
    host: str
    is_loopback: bool

    @property
    def place(self) -> str:
        """The place in words, for people.

        >>> Address("http://127.0.0.1:8080", "127.0.0.1:8080", True).place
        '127.0.0.1:8080 on this machine'
        """
        return f"{self.host} on {'this' if self.is_loopback else 'another'} machine"


def address_of(endpoint: Endpoint, engine: str, usual: str) -> Address:
    """Returns the address of an endpoint, if it may be used.

    Args:
        endpoint: as the settings have it.
        engine: name of the engine, for messages.
        usual: where such servers listen by default, for messages.

    Raises:
        EngineUnavailable: it is no address of HTTP, or it is on another machine and not allowed.
    """
    text = endpoint.url
    if not text:
        raise EngineUnavailable(
            f"the engine {engine} is a server, and nobody said where; set endpoint, as in {usual}"
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    has_more = bool(host and (parts.query or parts.fragment or parts.username is not None))
    if not host or parts.scheme not in ("http", "https") or has_more or not text.isprintable():
        raise EngineUnavailable(
            f"endpoint must be an address such as http://127.0.0.1:8080, not {_hidden(text)}"
        )
    spelled = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/").removesuffix("/v1")  # as addresses of OpenAI's API end
    where = f"{spelled}:{port}" if port is not None else spelled
    address = Address(f"{parts.scheme}://{where}{path}", where, _is_loopback(host))
    if not address.is_loopback and not endpoint.allow_remote:
        raise EngineUnavailable(
            f"{where} is another machine, to which your code would be sent; set allowRemote to "
            "true in your own settings if that is what you want"
        )
    return address


def key_of(endpoint: Endpoint) -> str:
    """Returns the key that is to be sent to the server; empty where none is.

    Raises:
        EngineUnavailable: the variable that should hold it is not set, or holds what no header can.
    """
    if not endpoint.key_variable:
        return ""
    key = os.environ.get(endpoint.key_variable, "").strip()
    if not key:
        raise EngineUnavailable(
            f"endpointKeyVariable names {shown(endpoint.key_variable)}, which is no variable of "
            "the environment here; set it where the editor is started"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise EngineUnavailable(
            f"the environment variable {shown(endpoint.key_variable)} holds characters that no key "
            "can have; set it anew"
        )
    return key


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hidden(text: str) -> str:
    """Returns an address for a message; one that may hold a password is not repeated."""
    return "one with a password or with quotes in it" if "@" in text else shown(text)
