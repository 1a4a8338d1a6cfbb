"""Takes personal data and secrets out of a text.

Secrets are known by the forms that their issuers document, or by standing as a long random string
behind a name such as `api_key`.  What is taken out is replaced, so that the code around it still
parses.  The patterns are for code: those for prose (datatrove's, say) take `a@b.T` for an e-mail
address, 4.0.0.1 for a host, and the name in front of an address for a part of it.
"""

from __future__ import annotations

import functools
import ipaddress
import math
import re
from collections import Counter

EMAIL, ADDRESS, SECRET = "user@example.com", "192.0.2.1", "REDACTED"
"""Replacements; `example.com` is reserved by RFC 2606, 192.0.2.0/24 by RFC 5737."""
MIN_ENTROPY = 3.0
"""Bits per character of a string that is taken for a secret by its name; words have less."""
PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----.{40,}?-----END [A-Z ]*PRIVATE KEY( BLOCK)?-----",
    re.DOTALL,
)
FORMS: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})\b",
        "GitLab token": r"\bglpat-[\w-]{20,}",
        "Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
        "Google key": r"\bAIza[\w-]{35}",
        "Stripe key": r"\b[sr]k_live_[A-Za-z0-9]{16,}",
        "OpenAI key": r"\bsk-(?:proj-)?[A-Za-z0-9_-]{32,}",
        "Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}\b",
        "PyPI token": r"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}",
        "npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
        "JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    }.items()
}
_EMAIL = re.compile(
    r"(?<![\w.+-])(?!git@)[A-Za-z0-9][\w.+-]*@(?!example\.)(?:[A-Za-z0-9-]+\.)+(?:com|org|net|edu|gov|mil"
    r"|info|biz|io|ai|dev|app|co|eu|us|uk|de|fr|nl|ru|ch|it|jp|cn|br|pl|in|se|es|ca|au|cz|be|dk|fi|kr)\b"
    r"(?![.\w-]*\()"
)
_ADDRESS = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.-])")
MIN_OCTET = 20
"""Bound on octets: four numbers that are all smaller are taken for a version."""
_NAMED = re.compile(
    r"""(?P<name>(?:api_?key|secret|token|passw(?:or)?d|private_?key|access_?key)\w*['"]?\]?\s*"""
    r"""(?:[:=]|=>)\s*['"])(?P<value>[\w+/=.-]{16,})(?=['"])""",
    re.IGNORECASE,
)
_HINT = re.compile(r"api_?key|secret|token|passw|private_?key|access_?key", re.IGNORECASE)


def scrub(text: str) -> tuple[str, Counter[str]]:
    """Returns the text without personal data and secrets, and how many of each kind there were.

    >>> scrub("author = 'Ann <ann@host.org>'")
    ("author = 'Ann <user@example.com>'", Counter({'e-mail address': 1}))
    """
    found: Counter[str] = Counter()

    def replaced(kind: str, replacement: str) -> str:
        found[kind] += 1
        return replacement

    if "PRIVATE KEY" in text:
        text = PRIVATE_KEY.sub(lambda _: replaced("private key", SECRET), text)
    for kind, form in FORMS.items():
        text = form.sub(functools.partial(lambda kind, _: replaced(kind, SECRET), kind), text)
    if _HINT.search(text):
        text = _NAMED.sub(
            lambda match: (
                match["name"] + replaced("named secret", SECRET)
                if looks_random(match["value"])
                else match[0]
            ),
            text,
        )
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


def looks_random(value: str) -> bool:
    """Tells whether letters and digits are mixed, and each surprises more than in words."""
    entropy = -sum(
        count / len(value) * math.log2(count / len(value)) for count in Counter(value).values()
    )
    has_both = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return has_both and entropy >= MIN_ENTROPY
