"""Knows secrets inside of texts: by the forms that their issuers document, or by their names.

A long random string behind a name such as `api_key` is one, too.  What is taken out is replaced, so
that the code around it still parses.  Training takes them out of what a model learns, and the
server out of what a model sees of other files.

A text may be anybody's, so no pattern here goes over the same characters again and again.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator

SECRET = "REDACTED"
MIN_ENTROPY = 3.0
"""Bits per character of a string that is taken for a secret by its name; words have less."""

PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY( BLOCK)?-----.{40,16000}?"
    r"-----END [A-Z ]{0,40}PRIVATE KEY( BLOCK)?-----",
    re.DOTALL,
)
_FORMS: dict[str, tuple[tuple[str, ...], re.Pattern[str]]] = {
    name: (starts, re.compile(pattern))
    for name, starts, pattern in (
        ("AWS key", ("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        (
            "GitHub token",
            ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
            r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})\b",
        ),
        ("GitLab token", ("glpat-",), r"\bglpat-[\w-]{20,}"),
        ("Slack token", ("xox",), r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
        ("Google key", ("AIza",), r"\bAIza[\w-]{35}"),
        ("Stripe key", ("k_live_",), r"\b[sr]k_live_[A-Za-z0-9]{16,}"),
        ("OpenAI key", ("sk-",), r"\bsk-(?:proj-)?[A-Za-z0-9_-]{32,}"),
        ("Hugging Face token", ("hf_",), r"\bhf_[A-Za-z0-9]{30,}\b"),
        ("PyPI token", ("pypi-",), r"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}"),
        ("npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
        (
            "JSON web token",
            ("eyJ",),
            r"(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
        ),
    )
}
"""Kind of a secret -> texts of which one is in every such secret, and its form."""
FORMS = {name: form for name, (_, form) in _FORMS.items()}

_NAMED = re.compile(
    r"""(?P<name>(?:api_?key|secret|token|passw(?:or)?d|private_?key|access_?key)\w{0,40}['"]?\]?"""
    r"""\s{0,40}(?:[:=]|=>)\s{0,40}['"])(?P<value>[\w+/=.-]{16,4000})(?=['"])""",
    re.IGNORECASE,
)
_HINTS = ("apikey", "api_key", "secret", "token", "passw", "privatekey", "private_key",
          "accesskey", "access_key")  # fmt: skip
_BASE64 = re.compile(r"[A-Za-z0-9+/=]{16,}")
_MIN_SHARE = 0.6
"""Share of a line that is base64, from which on it is taken for a line of a key."""


def without_secrets(text: str) -> tuple[str, Counter[str]]:
    """Returns the text with all secrets replaced, and how many of each kind there were.

    >>> without_secrets("token = 'f3a9c27be41d4805b6c1'")
    ("token = 'REDACTED'", Counter({'named secret': 1}))
    """
    found: Counter[str] = Counter()

    def counted(kind: str) -> Callable[[re.Match[str]], str]:
        def replacement(_: re.Match[str]) -> str:
            found[kind] += 1
            return SECRET

        return replacement

    if "PRIVATE KEY" in text:
        text = PRIVATE_KEY.sub(counted("private key"), text)
    for kind, (starts, form) in _FORMS.items():
        if any(start in text for start in starts):
            text = form.sub(counted(kind), text)
    lower = text.lower()
    if any(hint in lower for hint in _HINTS):

        def named(match: re.Match[str]) -> str:
            if not looks_random(match["value"]):
                return match[0]
            found["named secret"] += 1
            return match["name"] + SECRET

        text = _NAMED.sub(named, text)
    return text, found


def without_private_keys(text: str) -> str:
    """Returns the text with private keys replaced, in as many lines; one need not have an end."""
    if "PRIVATE KEY" not in text:
        return text
    text = PRIVATE_KEY.sub(lambda key: SECRET + "\n" * key[0].count("\n"), text)
    return "\n".join(_without_open_keys(text.split("\n")))


def holds_secret(text: str) -> bool:
    """Tells whether there is a secret in a text."""
    return "PRIVATE KEY-" in text or bool(without_secrets(text)[1])


def looks_random(value: str) -> bool:
    """Tells whether letters and digits are mixed, and each surprises more than in words."""
    entropy = -sum(
        count / len(value) * math.log2(count / len(value)) for count in Counter(value).values()
    )
    has_both = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return has_both and entropy >= MIN_ENTROPY


def _without_open_keys(lines: list[str]) -> Iterator[str]:
    """Yields the lines, less those that follow the begin of a key and look like one."""
    is_key = False
    for line in lines:
        bare = line.strip()
        if "-----BEGIN " in bare and "PRIVATE KEY" in bare:
            is_key = True
            yield SECRET
            continue
        longest = max(map(len, _BASE64.findall(bare)), default=0)
        is_key = is_key and (not bare or ":" in bare or longest >= _MIN_SHARE * len(bare))
        yield SECRET if is_key and bare else line
