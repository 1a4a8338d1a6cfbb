"""What a user can do about each reason for silence; data, so that no reason stands without one.

A reason is a name, and often what is special about this time behind a colon: "language: markdown is
switched off".  The sentences may name that as {said}, and the details of the decision by their
names in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REMEDIES: Mapping[str, str] = {
    "disabled": "set fimLsp.enabled to true",
    "language": "set this language to true in fimLsp.languages",
    "not learned": "choose a model that knows the language, or set the language to true in "
    "fimLsp.languages to see what this one suggests; asking by the editor's own command always "
    "brings something",
    "excluded": "take the glob out of fimLsp.exclude",
    "loading": "wait until the model is there; fimLsp/status and the editor's status bar tell how "
    "far it is",
    "engine error": "run `fim-lsp doctor`; it names what is wrong and what to do",
    "internal error": "the log says more; please report it with the lines around the time",
    "inside a word": "ask for a completion there by the editor's own command, or type to the end "
    "of the word",
    "the same place gave nothing before": "type on, or ask for a completion by the editor's own "
    "command",
    "too unsure": "fimLsp.eagerness {eagernessToShow} would have let it pass",
    "too short": "ask for a completion by the editor's own command to see it",
    "filtered": "type on: a letter more often brings another text; asking by the editor's own "
    "command brings other candidates",
    "superseded": "nothing is wrong: the next key came before the answer; `fim-lsp doctor` tells "
    "how fast the model is here",
    "cancelled": "nothing is wrong: the editor took the request back",
}
"""By the reason's name, or by the outcome where that says it all."""

_OTHERWISE = {
    "too unsure": "no setting of fimLsp.eagerness lets it pass; ask for a completion by the "
    "editor's own command",
}
"""Where a detail that the sentence needs is not known."""

_SPECIAL = {
    (
        "excluded",
        "list of secrets",
    ): "the list always holds: rename the file if it keeps no secrets",
}
"""Where what is special about this time asks for another sentence."""


def remedy(outcome: str, reason: str, details: Mapping[str, Any]) -> str:
    """What can be done; empty for a suggestion that was shown.

    >>> remedy("nothing", "too unsure: 0.10, below 0.25", {"eagernessToShow": 0.72})
    'fimLsp.eagerness 0.72 would have let it pass'
    """
    if outcome == "shown":
        return ""
    name, _, said = reason.partition(": ")
    sentence = next(
        (one for (special, part), one in _SPECIAL.items() if special == name and part in said),
        REMEDIES.get(name or outcome, ""),
    )
    try:
        return sentence.format_map({**details, "said": said})
    except KeyError:
        return _OTHERWISE.get(name, "")
