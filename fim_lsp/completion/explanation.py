"""Puts a request's trace into words: rows for a terminal, Markdown for editors, a line for the log.

All three are written here, so that no client has to know what a figure means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from fim_lsp.completion.reasons import RequestOutcome, hint, rules_in_words
from fim_lsp.completion.trace import AnsweredBy, GenerationTrace, RequestTrace
from fim_lsp.suggestion import Trigger
from model_runtime.printable import printable
from model_runtime.prompt.format import HoleStart

_MAX_OTHERS = 20
"""Requests beside the last one that Markdown has a line for."""

_TRIGGERS = {Trigger.INVOKED: "the user", Trigger.AUTOMATIC: "typing"}

_SOURCES = {
    AnsweredBy.CACHE: ", from the cache",
    AnsweredBy.MODEL: ", from the model",
    AnsweredBy.LINE_NGRAMS: ", from what the project has written before",
    AnsweredBy.IN_FLIGHT: ", from what the model was writing when it was typed",
}

_SENTENCES = {
    RequestOutcome.SHOWN: "A suggestion was shown.",
    RequestOutcome.NOTHING: "Nothing was suggested.",
    RequestOutcome.SUPERSEDED: "You typed on before it was ready.",
    RequestOutcome.CANCELLED: "The editor took the request back.",
    RequestOutcome.FAILED: "It failed.",
    RequestOutcome.READ: "The model read the text, as it was asked to.",
}

_OVERTAKEN = frozenset({RequestOutcome.SUPERSEDED, RequestOutcome.CANCELLED})
"""Outcomes that are due to the next request, and so not what a user asks about."""


def rows(trace: RequestTrace) -> list[tuple[str, str]]:
    """Returns pairs of a label and a text; what is not known is left out."""
    told = [
        ("asked by", _TRIGGERS[trace.trigger]),
        ("outcome", _outcome(trace)),
        *_figures(trace),
        ("held back", _held_back(trace)),
        ("remedy", hint(trace.outcome, trace.silence)),
    ]
    return [(label, text) for label, text in told if text]


def summary(trace: RequestTrace) -> str:
    """Returns one line for the log, without any of the user's text."""
    steps = " ".join(f"{name}={ms:.1f}" for name, ms in trace.timings.ms.items())
    outcome = trace.outcome.value if trace.outcome else "-"
    reason = f" ({trace.silence.message})" if trace.silence else ""
    source = trace.answered_by.value if trace.answered_by else "-"
    return f"{outcome}{reason} {source} ms: {steps}"


def markdown(traces: Sequence[RequestTrace], name_of: Callable[[str], str]) -> str:
    """Returns a document on the last request that was carried through, and a line for each other.

    Args:
        traces: newest first.
        name_of: returns the name of a document for people, given its URI.
    """
    if not traces:
        return (
            "# Explain last suggestion\n\n"
            "Nothing has been asked for yet. Type something, then look again.\n"
        )
    last = next((trace for trace in traces if trace.outcome not in _OVERTAKEN), traces[0])
    lines = ["# Explain last suggestion", "", *_told(last, name_of)]
    others = [trace for trace in traces if trace is not last]
    if others:
        lines += ["", "## The other requests, newest first", ""]
        lines += [f"- {_line(trace, name_of)}" for trace in others[:_MAX_OTHERS]]
    return "\n".join(lines) + "\n"


def _told(trace: RequestTrace, name_of: Callable[[str], str]) -> Iterator[str]:
    yield f"**{_SENTENCES[trace.outcome] if trace.outcome else 'It is under way.'}**"
    yield ""
    if trace.silence:
        yield from (f"Why: {_escaped(trace.silence.message)}", "")
    if advice := hint(trace.outcome, trace.silence):
        yield from (f"What to do: {advice}", "")
    if held_back := _held_back(trace):
        yield from ("The model wrote this, and it was held back:", "", *_fenced(held_back), "")
    yield f"- file: {_escaped(name_of(trace.uri))}"
    yield f"- asked by: {'you' if trace.trigger is Trigger.INVOKED else 'typing'}"
    if trace.answered_by:
        yield f"- answered{_source(trace)}"
    yield from (f"- {label}: {_escaped(text)}" for label, text in _figures(trace) if text)
    width = max((len(name) for name in trace.timings.ms), default=0)
    if width:
        width = max(width, len("step"))
        yield from ("", f"| {'step':{width}} |      ms |", f"|{'-' * (width + 2)}|--------:|")
        yield from (f"| {name:{width}} | {ms:7.1f} |" for name, ms in trace.timings.ms.items())


def _line(trace: RequestTrace, name_of: Callable[[str], str]) -> str:
    outcome = trace.outcome.value if trace.outcome else "under way"
    reason = f" ({_escaped(trace.silence.message)})" if trace.silence else ""
    total = trace.timings.ms.get("total")
    after = "" if total is None else f" after {total:.0f} ms"
    return f"{outcome}{reason} in {_escaped(name_of(trace.uri))}{after}"


def _escaped(text: str) -> str:
    r"""Returns a text as Markdown shows it: globs have stars, names have underscores.

    >>> _escaped("excluded: fimLsp.exclude names **/a_b")
    'excluded: fimLsp.exclude names \\*\\*/a\\_b'
    """
    return "".join(f"\\{one}" if one in "\\`*_[]<>#|" else one for one in text)


def _held_back(trace: RequestTrace) -> str:
    """Returns what was written and not shown, fit for a terminal; empty where there is none."""
    if trace.generation is None or trace.outcome is not RequestOutcome.NOTHING:
        return ""
    return printable(trace.generation.held_back).strip("\n").rstrip()


def _fenced(text: str) -> Iterator[str]:
    """Yields the lines of a block of code that no line of the text ends."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (fence, *text.split("\n"), fence)


def _outcome(trace: RequestTrace) -> str:
    outcome = trace.outcome.value if trace.outcome else "under way"
    reason = f": {trace.silence.message}" if trace.silence else ""
    return f"{outcome}{_source(trace)}{reason}"


def _source(trace: RequestTrace) -> str:
    if trace.is_prefetched:
        return ", prefetched when the suggestion before was accepted"
    return _SOURCES[trace.answered_by] if trace.answered_by else ""


def _figures(trace: RequestTrace) -> Iterator[tuple[str, str]]:
    yield "waited", _wait(trace)
    if trace.generation is not None:
        yield "prompt", _prompt(trace.generation)
        yield "written", _written(trace.generation)
    yield "written before", _written_before(trace)
    yield "confidence", _confidence(trace)
    if trace.generation is not None:
        yield "filtered", rules_in_words(trace.generation.rules)


def _wait(trace: RequestTrace) -> str:
    figures = trace.debounce
    if figures is None:
        return ""
    wait = f"{figures.wait_ms:.0f} ms for another key"
    if figures.key_gap_ms is None or figures.answer_ms is None:
        return wait
    return (
        f"{wait}: they come every {figures.key_gap_ms} ms, "
        f"and the model takes {figures.answer_ms} ms"
    )


def _prompt(generation: GenerationTrace) -> str:
    figures, decoding = generation.prompt, generation.decoding
    if figures is None:
        return ""
    by_source = ", ".join(
        f"{source.value} {tokens}"
        for source, tokens in (figures.snippet_tokens_by_source or {}).items()
    )
    return (
        f"{figures.prompt_tokens} tokens: {figures.prefix_tokens} before the cursor, "
        f"{figures.suffix_tokens} after it, "
        f"{figures.snippet_tokens} from other files{f' ({by_source})' if by_source else ''}; "
        f"{decoding.cached_tokens if decoding else 0} of them known from the request before"
    )


def _written(generation: GenerationTrace) -> str:
    decoding, prompt = generation.decoding, generation.prompt
    if decoding is None or prompt is None:
        return ""
    lines = "one line" if prompt.single_line else "as many lines as belong together"
    abandoned = decoding.abandoned_answers
    meanwhile = f"; meanwhile the server went on with {abandoned} given up before"
    return (
        f"{decoding.new_tokens} tokens, {lines}; ended by: {decoding.finish}"
        f"{meanwhile if abandoned else ''}"
    )


def _written_before(trace: RequestTrace) -> str:
    figures = trace.line_ngrams
    if figures is None:
        return ""
    where = "under the same line" if figures.under_same_line else "after the same beginning"
    return f"{figures.written_before} of {figures.of_times} times {where}"


def _confidence(trace: RequestTrace) -> str:
    figures, generation = trace.confidence, trace.generation
    if figures is None:
        return ""
    prompt = generation.prompt if generation else None
    is_forced = prompt is not None and prompt.hole_start is HoleStart.LINE
    given = ", given what is typed of it" if is_forced else ""
    decoding = generation.decoding if generation else None
    mean = f"; mean log-probability {decoding.mean_logprob:.2f}" if decoding else ""
    return (
        f"{figures.probability:.2f} for the first line{given}; typing shows it from "
        f"{figures.least_probability:.2f} on (eagerness {figures.eagerness:g}){mean}"
    )
