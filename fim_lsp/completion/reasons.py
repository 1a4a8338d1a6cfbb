"""Says why a request was answered with nothing, and what the user can do about it.

Each `Reason` has a message and a hint in the two tables below; a test holds them complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from fim_lsp.exclusion.judge import Exclusion, ExclusionKind
from fim_lsp.model_host.status import LoadProgress


class RequestOutcome(Enum):
    """The end of a request."""

    SHOWN = "shown"
    NOTHING = "nothing"
    SUPERSEDED = "superseded"
    """A newer request or an edit came first."""
    CANCELLED = "cancelled"
    """The editor took the request back."""
    FAILED = "failed"
    READ = "read"
    """The model has read the prompt, and was to write nothing."""


class Reason(Enum):
    """A reason for showing nothing; the value is `reasonCode` in JSON."""

    DISABLED = "disabled"
    LANGUAGE_DISABLED = "languageDisabled"
    NOT_LEARNED = "notLearned"
    """The model is rarely right in the language."""
    EXCLUDED = "excluded"
    LOADING = "loading"
    ENGINE_ERROR = "engineError"
    INTERNAL_ERROR = "internalError"
    INSIDE_WORD = "insideWord"
    NOTHING_BEFORE = "nothingBefore"
    """The same place gave nothing when it was asked for before."""
    LOW_CONFIDENCE = "lowConfidence"
    TOO_SHORT = "tooShort"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class ConfidenceFigures:
    """The estimated probability of a suggestion's first line, and what it was compared with."""

    probability: float
    least_probability: float
    """Threshold from which on typing shows a suggestion."""
    eagerness: float
    """The setting, as moved by the user's acceptances."""
    eagerness_to_show: float | None = None
    """The setting that would have shown it; None where none would, or none was needed."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A reason with what is particular about this time."""

    reason: Reason
    language: str = ""
    model: str = ""
    progress: LoadProgress | None = None
    """The load in progress, where there is one."""
    error: str = ""
    exclusion: Exclusion | None = None
    confidence: ConfidenceFigures | None = None
    rules: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """The reason for people, with its particulars; for people only.

        >>> Silence(Reason.LANGUAGE_DISABLED, language="markdown").message
        'language: markdown is switched off'
        """
        return _MESSAGES[self.reason].format_map(self._particulars())

    def _particulars(self) -> Mapping[str, object]:
        confidence = self.confidence
        return {
            "language": self.language,
            "model": self.model,
            "progress": f": {self.progress.detail}" if self.progress else "",
            "error": self.error,
            "exclusion": self.exclusion,
            "probability": 100 * confidence.probability if confidence else 0.0,
            "least": 100 * confidence.least_probability if confidence else 0.0,
            "rules": rules_in_words(self.rules) or "the model wrote nothing",
        }


_MESSAGES: Mapping[Reason, str] = {
    Reason.DISABLED: "disabled",
    Reason.LANGUAGE_DISABLED: "language: {language} is switched off",
    Reason.NOT_LEARNED: "not learned: {model} is rarely right in {language}",
    Reason.EXCLUDED: "excluded: {exclusion}",
    Reason.LOADING: "loading{progress}",
    Reason.ENGINE_ERROR: "engine error: {error}",
    Reason.INTERNAL_ERROR: "internal error: see the log",
    Reason.INSIDE_WORD: "inside a word",
    Reason.NOTHING_BEFORE: "the same place gave nothing before",
    Reason.LOW_CONFIDENCE: "not confident enough: {probability:.0f} %, needs {least:.0f} %",
    Reason.TOO_SHORT: "too short",
    Reason.FILTERED: "filtered: {rules}",
}

_RULES: Mapping[str, str] = {
    "cut_at_broken_character": "bytes that are no character",
    "cut_at_repeated_block": "a block that came before",
    "cut_at_stutter": "a fragment that came again and again",
    "cut_repeated_indentation": "blanks that stand there already",
    "cut_lines_below": "a copy of the lines below",
    "drop_line_below": "a copy of the line below",
    "cut_suffix_overlap": "a copy of the rest of the line",
    "cut_trailing_space": "blanks at its end",
    "drop_empty_string": "an empty string",
    "cut_surplus_closer": "a bracket that closes nothing",
    "cut_wrong_closing_tag": "a tag that closes another element than the innermost",
    "cut_comment_ramble": "a comment without end",
    "cut_near_copies": "a copy of a line nearby",
    "cut_near_copies_of_others": "a copy of a line around the block",
    "cut_copied_block": "a copy of a block below",
    "cut_to_fewest_errors": "a syntax error",
    "cut_trailing_junk": "junk at its end",
    "cut_off": "a last line without an end",
    "fit_indentation": "indentation that did not fit",
    "fit_closers": "brackets that did not fit",
}
"""Faults that a rule of the filters takes from a text or mends in it, by the rule's name."""

_HINTS: Mapping[Reason | RequestOutcome, str] = {
    Reason.DISABLED: "set fimLsp.enabled to true",
    Reason.LANGUAGE_DISABLED: "set this language to true in fimLsp.languages",
    Reason.NOT_LEARNED: "choose a model that knows the language, or set the language to true in "
    "fimLsp.languages to see what this one suggests; asking by the editor's own command always "
    "brings something",
    Reason.LOADING: "wait until the model is there; fimLsp/status and the editor's status bar "
    "tell how far it is",
    Reason.ENGINE_ERROR: "run `fim-lsp doctor`; it names what is wrong and what to do",
    Reason.INTERNAL_ERROR: "the log says more; please report it with the lines around the time",
    Reason.INSIDE_WORD: "ask for a completion there by the editor's own command, or type to the "
    "end of the word",
    Reason.NOTHING_BEFORE: "type on, or ask for a completion by the editor's own command",
    Reason.TOO_SHORT: "ask for a completion by the editor's own command to see it",
    Reason.FILTERED: "type on: a letter more often brings another text; asking by the editor's "
    "own command brings other candidates",
    RequestOutcome.SUPERSEDED: "nothing is wrong: the next key came before the answer; "
    "`fim-lsp doctor` tells how fast the model is here",
    RequestOutcome.CANCELLED: "nothing is wrong: the editor took the request back",
}

_EXCLUSION_HINTS: Mapping[ExclusionKind, str] = {
    ExclusionKind.SECRET: "the list always holds: rename the file if it keeps no secrets",
    ExclusionKind.BY_USER: "take the glob out of fimLsp.exclude",
    ExclusionKind.TOO_LONG: "move the file to a shorter path",
    ExclusionKind.BY_GIT: "take the file out of .gitignore",
}


def rules_in_words(rules: Iterable[str]) -> str:
    """Returns the faults that the rules of the filters mended; empty for none.

    >>> rules_in_words(["cut_trailing_space", "cut_off"])
    'blanks at its end, a last line without an end'
    """
    return ", ".join(map(_RULES.__getitem__, rules))


def in_short(code: str) -> str:
    """Returns the message of a reason without its particulars, by the reason's code in JSON.

    What is no reason's code comes back as it is.

    >>> in_short("lowConfidence"), in_short("superseded")
    ('not confident enough', 'superseded')
    """
    messages = {reason.value: message for reason, message in _MESSAGES.items()}
    return re.split("[:{]", messages.get(code, code))[0]


def hint(outcome: RequestOutcome | None, silence: Silence | None) -> str:
    """Returns what the user can do; empty where a suggestion was shown.

    >>> figures = ConfidenceFigures(0.1, 0.25, 0.5, eagerness_to_show=0.72)
    >>> hint(RequestOutcome.NOTHING, Silence(Reason.LOW_CONFIDENCE, confidence=figures))
    'fimLsp.eagerness 0.72 would have let it pass'
    """
    if silence is None:
        return "" if outcome is None else _HINTS.get(outcome, "")
    if silence.exclusion is not None:
        return _EXCLUSION_HINTS[silence.exclusion.kind]
    if silence.reason is Reason.LOW_CONFIDENCE:
        enough = silence.confidence and silence.confidence.eagerness_to_show
        if enough is None:
            return (
                "no setting of fimLsp.eagerness lets it pass; ask for a completion by the "
                "editor's own command"
            )
        return f"fimLsp.eagerness {enough:g} would have let it pass"
    return _HINTS[silence.reason]
