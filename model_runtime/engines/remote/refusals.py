"""Sentences for what servers answer, and for what keeps them from answering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from model_runtime.engines.remote.problem import ServerProblem
from model_runtime.errors import shown

_LATER = "it is asked again later"


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raises ServerProblem in place of what httpx raises.

    Args:
        place: the server in words.
    """
    import httpx

    try:
        yield
    except httpx.ConnectError as error:
        if "certificate" in str(error).lower():
            raise ServerProblem(
                f"the certificate of the server {place} is not trusted; name the right "
                "authority in the environment variable SSL_CERT_FILE",
                is_lasting=True,
            ) from error
        raise ServerProblem(f"no server answers at {place}; {_LATER}") from error
    except httpx.TimeoutException as error:
        raise too_slow(place) from error
    except httpx.HTTPError as error:
        raise ServerProblem(
            f"the connection to the server {place} broke ({type(error).__name__}); {_LATER}"
        ) from error


def too_slow(place: str) -> ServerProblem:
    """Returns the problem of an answer that does not come in time."""
    return ServerProblem(f"the server {place} takes too long; {_LATER}")


def of_status(place: str, path: str, status: int, headers: Mapping[str, str]) -> ServerProblem:
    """Returns the problem of an answer that is an error.

    Args:
        place: the server in words.
        path: what was asked for.
        status: of HTTP.
        headers: of the answer; names in lower case.
    """
    if 300 <= status < 400:
        target = shown(headers.get("location", ""))
        return ServerProblem(
            f"the server {place} sends requests on to {target}, which is not followed; set "
            "endpoint to the server itself",
            is_lasting=True,
            status=status,
        )
    retry_after = _seconds(headers.get("retry-after", ""))
    if status in (401, 403):
        return ServerProblem(
            f"the server {place} refuses the key (HTTP {status}); name the environment variable "
            "that holds it in endpointKeyVariable",
            is_lasting=True,
            status=status,
        )
    if status in (429, 503):
        what = "asks for patience" if status == 429 else "is busy or still loads its model"
        return ServerProblem(
            f"the server {place} {what} (HTTP {status}); {_LATER}",
            status=status,
            retry_after=retry_after,
        )
    if status >= 500 and status != 501:
        return ServerProblem(
            f"the server {place} failed (HTTP {status}); {_LATER}",
            status=status,
            retry_after=retry_after,
        )
    what = f"does not know {path}" if status in (404, 405, 501) else f"refuses {path}"
    return ServerProblem(
        f"the server {place} {what} (HTTP {status}); check that engine, endpoint and "
        "endpointModel name this server and its model",
        is_lasting=True,
        status=status,
    )


def no_json(place: str, path: str, content: bytes) -> ServerProblem:
    """Returns the problem of an answer that no program can read."""
    what = "a web page" if content.lstrip()[:1] == b"<" else "no JSON"
    return ServerProblem(
        f"the server {place} answers {path} with {what}; check that engine and endpoint name it",
        is_lasting=True,
    )


def endless(place: str, path: str) -> ServerProblem:
    """Returns the problem of an answer without end."""
    return ServerProblem(
        f"the answer of the server {place} to {path} does not end; check that engine and endpoint "
        "name it",
        is_lasting=True,
    )


def unreadable(place: str, what: str) -> ServerProblem:
    """Returns the problem of an answer with wrong content.

    Args:
        place: the server in words.
        what: names the content; it is to follow "answers with".
    """
    return ServerProblem(
        f"the server {place} answers with {what}; check that engine and endpoint name it"
    )


def broken_off(place: str) -> ServerProblem:
    """Returns the problem of an answer that ends in the middle."""
    return ServerProblem(f"the server {place} broke off in the middle of an answer; {_LATER}")


def _seconds(retry_after: str) -> float | None:
    """Returns the seconds that a header asks for, which has a number or a date.

    >>> _seconds("3"), _seconds("soon")
    (3.0, None)
    """
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        then = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return max(0.0, (then - datetime.now(timezone.utc)).total_seconds())
