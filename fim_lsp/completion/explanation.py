"""A decision of the trail in words, for a person: `fim-lsp complete --explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SOURCES = {
    "cache": ", from the cache",
    "model": ", from the model",
    "project memory": ", from what the project has written before",
    "running": ", from what the model was writing when it was typed",
}


def explain(decision: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rows of a name and what there is to say; those of which nothing is known are left out."""
    rows = [
        ("asked by", _trigger(decision)),
        ("outcome", _outcome(decision)),
        ("waited", _wait(decision)),
        ("prompt", _prompt(decision)),
        ("written", _written(decision)),
        ("written before", _written_before(decision)),
        ("sureness", _sureness(decision)),
        ("rules", ", ".join(decision.get("rules", ()))),
        ("remedy", decision.get("remedy", "")),
    ]
    return [(name, said) for name, said in rows if said]


def _trigger(decision: Mapping[str, Any]) -> str:
    names = {"invoked": "the user", "automatic": "typing"}
    return names.get(decision["trigger"], str(decision["trigger"]))


def _outcome(decision: Mapping[str, Any]) -> str:
    source = _SOURCES.get(decision["source"], "")
    if decision.get("prepared"):
        source = ", prepared when the suggestion before was accepted"
    reason = f": {decision['reason']}" if decision["reason"] else ""
    return f"{decision['outcome']}{source}{reason}"


def _wait(decision: Mapping[str, Any]) -> str:
    if "waitMs" not in decision:
        return ""
    if "answerMs" not in decision:
        return f"{decision['waitMs']:.0f} ms for another key"
    return (
        f"{decision['waitMs']:.0f} ms for another key: they come every {decision['keyGapMs']} ms, "
        f"and the model takes {decision['answerMs']} ms"
    )


def _prompt(decision: Mapping[str, Any]) -> str:
    if "promptTokens" not in decision:
        return ""
    return (
        f"{decision['promptTokens']} tokens: {decision['prefixTokens']} before the cursor, "
        f"{decision['suffixTokens']} after it, "
        f"{decision['snippetTokens']} from other files{_by_source(decision)}; "
        f"{decision.get('cachedTokens', 0)} of them known from the request before"
    )


def _by_source(decision: Mapping[str, Any]) -> str:
    counts = decision.get("snippetTokensBySource", {})
    shown = ", ".join(f"{source} {tokens}" for source, tokens in counts.items())
    return f" ({shown})" if shown else ""


def _written(decision: Mapping[str, Any]) -> str:
    if "newTokens" not in decision:
        return ""
    lines = "one line" if decision["singleLine"] else "as many lines as belong together"
    return f"{decision['newTokens']} tokens, {lines}; ended by: {decision['finish']}"


def _written_before(decision: Mapping[str, Any]) -> str:
    if "writtenBefore" not in decision:
        return ""
    where = "under the same line" if decision["underSameLine"] else "after the same beginning"
    return f"{decision['writtenBefore']} of {decision['ofTimes']} times {where}"


def _sureness(decision: Mapping[str, Any]) -> str:
    if "probability" not in decision:
        return ""
    dial = f" {decision['eagerness']:g}" if "eagerness" in decision else ""
    mean = decision.get("meanLogprob")
    given = ", given what is typed of it" if decision.get("holeStart") == "line" else ""
    return (
        f"{decision['probability']:.2f} for the first line{given}; typing shows it from "
        f"{decision['leastProbability']:.2f} on (eagerness{dial})"
        + ("" if mean is None else f"; mean log-probability {mean:.2f}")
    )
