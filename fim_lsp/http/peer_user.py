"""Asks the kernel whose a connection on this machine is, so that other users are kept out.

Most clients over HTTP cannot be taught to send a token, and any user of a machine can connect to a
port of it.  Linux tells the owner of each socket (sock_diag); elsewhere nobody is told, and a token
is what keeps others out.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct

Address = tuple[str, int]

_INET_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_HEADER = struct.Struct("=LHHLL")
_ANY_STATE, _NO_COOKIE = 0xFFFFFFFF, 0xFFFFFFFF
_USER_AT = _HEADER.size + 64
"""Place of the user in an answer: behind the header, four bytes, the addresses, three numbers."""
_ROOT = 0


def is_another_user(client: Address, server: Address) -> bool:
    """Tells whether a connection comes from another user of this machine than our own or root.

    Args:
        client: address and port of the client.
        server: those of the server that it is connected to.
    """
    user = user_of(client, server)
    return user is not None and user not in (_ROOT, os.getuid())


def user_of(client: Address, server: Address) -> int | None:
    """Returns the user id behind a connection's other end; None where nobody can tell."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        return None
    try:
        request = _question(client, server)
        with socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _INET_DIAG) as kernel:
            kernel.settimeout(1.0)
            kernel.sendall(request)
            answer = kernel.recv(4096)
    except (OSError, ValueError, struct.error):  # also where a port is not known
        return None
    if len(answer) < _USER_AT + 4 or _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
        return None  # another machine's, or gone
    return int(struct.unpack_from("=L", answer, _USER_AT)[0])


def _question(client: Address, server: Address) -> bytes:
    """Returns the request for one socket: that of the client, whose other end is the server."""
    source, target = (ipaddress.ip_address(host.partition("%")[0]) for host, _ in (client, server))
    family = socket.AF_INET if source.version == 4 else socket.AF_INET6
    body = struct.pack("=BBBBL", family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE)
    body += struct.pack("!HH", client[1], server[1])
    body += source.packed.ljust(16, b"\0") + target.packed.ljust(16, b"\0")
    body += struct.pack("=LLL", 0, _NO_COOKIE, _NO_COOKIE)
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 0, 0) + body
