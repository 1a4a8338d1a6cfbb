"""Reads the events of `/v1/completions`, as OpenAI defined them and others answer them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from model_runtime.engines.remote import events, refusals
from model_runtime.engines.remote.dialect import Piece
from model_runtime.engines.remote.problem import ServerProblem

if TYPE_CHECKING:
    from model_runtime.engines.remote.client import HttpClient

PATH = "/v1/completions"


def choice_in(event: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """Returns the one choice of an event; empty for an event of usage alone.

    Raises:
        ServerProblem: it has something else there.
    """
    choices = event.get("choices")
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise refusals.unreadable(place, "events without choices")
    first: Mapping[str, Any] = choices[0] if choices else {}
    return first


def usage_in(event: Mapping[str, Any]) -> Piece:
    """Returns what an event tells beside its choice.

    That is the name of the model, and the ids of the prompt that were read before, and now.
    """
    usage = event.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    cached = events.count_in(details.get("cached_tokens")) if isinstance(details, dict) else None
    whole = events.count_in(usage.get("prompt_tokens"))
    read = max(0, whole - cached) if cached is not None and whole is not None else None
    model = event.get("model")
    return Piece(
        cached_tokens=cached, read_tokens=read, model=model if isinstance(model, str) else ""
    )


def logprobs_in(choice: Mapping[str, Any], place: str) -> tuple[float, ...]:
    """Returns the log-probabilities of the tokens of a choice; empty where it has none.

    Two forms are in use: a list `token_logprobs`, and a list `content` of objects.

    Raises:
        ServerProblem: one of them is no number.
    """
    told = choice.get("logprobs")
    if not isinstance(told, dict):
        return ()
    values = told.get("token_logprobs")
    rows = told.get("content")
    if not isinstance(values, list):
        values = [one.get("logprob") for one in rows] if _are_objects(rows) else []
    return tuple(events.logprob_in(one, place) for one in values)


def is_stopped(choice: Mapping[str, Any]) -> bool:
    """Tells whether the model ended the answer."""
    return choice.get("finish_reason") == "stop"


def served_model(client: HttpClient, named: str) -> Mapping[str, Any]:
    """Returns the entry of the model in the server's list.

    Args:
        client: connects to the server.
        named: name of the model there; empty to take the only one.

    Raises:
        ServerProblem: the server does not answer, has no such model, or has several.
    """
    listed = client.get("/v1/models")
    rows = listed.get("data") if isinstance(listed, dict) else None
    if not _are_objects(rows):
        raise refusals.unreadable(client.place, "a list of models that is none")
    names = [str(row.get("id")) for row in rows]
    return rows[names.index(chosen(names, named, client.place))]


def chosen(names: Sequence[str], named: str, place: str) -> str:
    """Returns the name of the model that is to be asked.

    Args:
        names: of the models there.
        named: the one that is wanted; empty to take the only one.
        place: the server in words.

    Raises:
        ServerProblem: there is none of that name, or there are several to choose from.
    """
    if named in names:
        return named
    if not named and len(names) == 1:
        return names[0]
    shown = ", ".join(names[:5]) or "none"
    what = f"does not have the model {named!r}" if named else "has not one model alone"
    raise ServerProblem(
        f"the server {place} {what}; it has {shown}: set endpointModel to one of them",
        is_lasting=True,
    )


def _are_objects(rows: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
