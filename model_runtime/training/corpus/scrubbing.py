"""Takes personal data and secrets out of a text.

What is taken out is replaced, so that the code around it still parses.  `secret_forms` knows the
secrets.  The patterns here are for code: those for prose (datatrove's, say) take `a@b.T` for an
e-mail address, 4.0.0.1 for a host, and the name in front of an address for a part of it.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter

from model_runtime.secret_forms import without_secrets

EMAIL, ADDRESS = "user@example.com", "192.0.2.1"
"""Replacements; `example.com` is reserved by RFC 2606, 192.0.2.0/24 by RFC 5737."""
_EMAIL = re.compile(
    r"(?<![\w.+-])(?!git@)[A-Za-z0-9][\w.+-]*@(?!example\.)(?:[A-Za-z0-9-]+\.)+(?:com|org|net|edu|gov|mil"
    r"|info|biz|io|ai|dev|app|co|eu|us|uk|de|fr|nl|ru|ch|it|jp|cn|br|pl|in|se|es|ca|au|cz|be|dk|fi|kr)\b"
    r"(?![.\w-]*\()"
)
_ADDRESS = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.-])")
MIN_OCTET = 20
"""Bound on octets: four numbers that are all smaller are taken for a version."""


def scrub(text: str) -> tuple[str, Counter[str]]:
    """Returns the text without personal data and secrets, and how many of each kind there were.

    >>> scrub("author = 'Ann <ann@host.org>'")
    ("author = 'Ann <user@example.com>'", Counter({'e-mail address': 1}))
    """
    text, found = without_secrets(text)

    def replaced(kind: str, replacement: str) -> str:
        found[kind] += 1
        return replacement

    if "@" in text:
        text = _EMAIL.sub(lambda _: replaced("e-mail address", EMAIL), text)
    text = _ADDRESS.sub(
        lambda match: replaced("IP address", ADDRESS) if is_public(match[0]) else match[0], text
    )
    return text, found


def is_public(numbers: str) -> bool:
    """Tells whether four numbers are the address of a host in the internet."""
    if max(map(int, numbers.split("."))) < MIN_OCTET:
        return False
    try:
        return ipaddress.IPv4Address(numbers).is_global
    except ValueError:
        return False
