"""Files that must not reach a model: secrets by their usual names, and what the user adds.

Excluded files are neither completed nor used as context for others.  The built-in list cannot be
switched off, and it rather takes a file too many: a missing suggestion costs a moment, a leaked key
costs a night.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

SECRETS = (
    # environments
    ".env*", "*.env", ".dev.vars",
    # keys and certificates
    "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.pkcs12", "*.jks", "*.keystore", "*.agekey",
    "*.kdb", "*.kdbx", "*.asc", "*.gpg", "*.pgp", "*.ppk", "*.crt", "*.cer", "*.cert", "*.der",
    "*.csr", "*.ovpn", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".ssh/*", ".gnupg/*",
    # passwords and tokens of tools
    ".netrc", "_netrc", ".pgpass", ".my.cnf", ".mylogin.cnf", ".npmrc", ".yarnrc*", ".pypirc",
    ".git-credentials", ".htpasswd", ".dockercfg", ".docker/config.json", ".kube/config",
    "kubeconfig*", ".aws/*", ".azure/*", ".config/gcloud/*", ".config/gh/hosts.yml",
    ".m2/settings.xml", ".cargo/credentials*", ".gem/credentials", ".vault-token", ".vault_pass*",
    # named for what they hold
    "credentials*", "*credentials.json", "secret.*", "secrets.*", "secrets", "*.secret",
    "*.secrets", "*service-account*.json", "*service_account*.json", "passwd", "shadow",
    "*.tfvars", "*.tfvars.json", "*.tfstate", "*.tfstate.*",
)  # fmt: skip
"""Globs; with no slash, of a file's name; with one, of the end of its path."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?=/|[^/\\]*$)")


@lru_cache(maxsize=1024)
def is_excluded(uri_or_path: str, exclude: tuple[str, ...] = ()) -> str | None:
    """Why a file is left alone, or None when it is not.

    Args:
        uri_or_path: as the editor names it, or a path of the file system.
        exclude: the user's globs.  `*` stays inside a folder, `**` does not; a glob without a slash
            is that of a name anywhere in the path, a folder's name included; `~` is the home
            folder; letters' case is ignored.
    """
    paths = _paths(uri_or_path)
    for glob in SECRETS:
        if any(_secret_pattern(glob).search(path) for path in paths):
            return f"{glob} is on the built-in list of secrets"
    for glob in exclude:
        if any(_user_pattern(glob).search(path) for path in paths):
            return f"fimLsp.exclude names {glob}"
    return None


def _paths(uri_or_path: str) -> tuple[str, ...]:
    """All readings of a name: some editors escape `#`, `?` and `%` in paths, others do not."""
    match = _SCHEME.match(uri_or_path)
    if match is None:
        return (_with_slashes(uri_or_path),)
    rest = uri_or_path[match.end() :]
    bare = re.split("[?#]", rest, maxsplit=1)[0]
    return tuple({_with_slashes(name) for name in (bare, unquote(bare), rest, unquote(rest))})


def _with_slashes(path: str) -> str:
    """Begins with a slash, so that every part has one before it."""
    return "/" + path.replace("\\", "/").lstrip("/")


@lru_cache(maxsize=256)
def _secret_pattern(glob: str) -> re.Pattern[str]:
    return re.compile(f"/{_expression(glob)}$", re.IGNORECASE)


@lru_cache(maxsize=256)
def _user_pattern(glob: str) -> re.Pattern[str]:
    glob = glob.replace("\\", "/")
    if glob.startswith("~"):
        glob = Path(glob).expanduser().as_posix()
    # A folder's glob takes all that lies below; so `build`, `build/` and `build/**` are the same.
    glob = re.sub(r"/+(\*\*)?$", "", glob)
    anchor = "^/" if glob.startswith("/") else "/"
    return re.compile(f"{anchor}{_expression(glob.lstrip('/'))}(/|$)", re.IGNORECASE)


def _expression(glob: str) -> str:
    """A regular expression for a glob: `**`, `*`, `?` and `[...]`."""
    parts = []
    for token in re.findall(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|.", glob, re.DOTALL):
        if token == "**/":
            parts.append("(?:.*/)?")
        elif token == "**":
            parts.append(".*")
        elif token == "*":
            parts.append("[^/]*")
        elif token == "?":
            parts.append("[^/]")
        elif len(token) > 1:
            parts.append(_character_set(token))
        else:
            parts.append(re.escape(token))
    return "".join(parts)


def _character_set(token: str) -> str:
    """A set like `[a-z]` or `[!a-z]`; what is none is taken literally."""
    is_negated = token.startswith("[!")
    members = re.sub(r"([\\^\[&~|])", r"\\\1", token[2 if is_negated else 1 : -1])
    expression = f"[{'^' if is_negated else ''}{members}]"
    try:
        re.compile(expression)
    except re.error:
        return re.escape(token)
    return expression
