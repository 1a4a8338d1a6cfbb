"""Reads the events of an answer from its lines: JSON a line, or server-sent events.

Server-sent events are those of the HTML standard, as far as these servers use them: a line `data:`
with JSON each, and `data: [DONE]` behind the last one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from model_runtime.engines.remote import refusals
from model_runtime.engines.remote.problem import ServerProblem

DONE = "[DONE]"


def json_lines(lines: Iterator[str], place: str) -> Iterator[Mapping[str, Any]]:
    """Yields one object a line.

    Raises:
        ServerProblem: a line is none, or tells of an error.
    """
    for line in lines:
        if line.strip():
            yield _event(line, place)


def server_sent(lines: Iterator[str], place: str) -> Iterator[Mapping[str, Any]]:
    """Yields the objects of server-sent events, up to `[DONE]`.

    Raises:
        ServerProblem: a line is none of an event, or tells of an error.
    """
    for line in lines:
        name, _, value = line.strip().partition(":")
        if name not in ("data", "error"):
            if name in ("", "event", "id", "retry"):
                continue
            raise refusals.unreadable(place, "no stream of events")
        if value.strip() == DONE:
            return
        yield _event(value, place)


def _event(text: str, place: str) -> Mapping[str, Any]:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        raise refusals.unreadable(place, "half a line, or no JSON") from None
    if not isinstance(event, dict):
        raise refusals.unreadable(place, "JSON that is no object")
    if event.get("error"):
        raise ServerProblem(f"the server {place} failed while it answered; it is asked again later")
    return event


def text_in(value: object, place: str) -> str:
    """Returns a text of an answer.

    Raises:
        ServerProblem: it is none.
    """
    if not isinstance(value, str):
        raise refusals.unreadable(place, "a text that is none")
    return value


def ids_in(value: object, place: str) -> tuple[int, ...]:
    """Returns the ids of an answer.

    Raises:
        ServerProblem: they are none.
    """
    if not isinstance(value, list) or not all(type(one) is int and one >= 0 for one in value):
        raise refusals.unreadable(place, "ids that are none")
    return tuple(value)


def logprob_in(value: object, place: str) -> float:
    """Returns a natural log-probability of an answer, 0 at most.

    Raises:
        ServerProblem: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refusals.unreadable(place, "a log-probability that is no number")
    return min(float(value), 0.0)


def likeliest_in(rows: object) -> dict[int, float]:
    """Returns the log-probabilities of the likeliest ids; what is malformed is left out.

    Args:
        rows: objects with `id` and `logprob`.
    """
    found: dict[int, float] = {}
    for row in rows if isinstance(rows, list) else ():
        id_, logprob = (row.get("id"), row.get("logprob")) if isinstance(row, dict) else (0, None)
        if not isinstance(id_, int) or not isinstance(logprob, int | float):
            continue
        if id_ >= 0 and math.isfinite(logprob):
            found[id_] = min(float(logprob), 0.0)
    return found


def count_in(value: object) -> int | None:
    """Returns a count of tokens; None where there is none."""
    return value if type(value) is int and value >= 0 else None
