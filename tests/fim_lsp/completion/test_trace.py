"""The trace of a request says what came of it, why, and what can be done."""

import json

import pytest

from fim_lsp.completion.explanation import markdown, summary
from fim_lsp.completion.reasons import ConfidenceFigures, Reason, RequestOutcome, Silence
from fim_lsp.completion.trace import (
    AnsweredBy,
    CandidateFigures,
    CandidateOutcome,
    DebounceFigures,
    DecodingFigures,
    GenerationTrace,
    LineNgramFigures,
    PromptFigures,
    RequestLog,
    RequestTrace,
)
from fim_lsp.completion.trace_json import as_json
from fim_lsp.context import Source
from fim_lsp.suggestion import Trigger
from model_runtime.prompt.format import HoleStart

CONFIDENCE = ConfidenceFigures(0.1, 0.25, 0.5, eagerness_to_show=0.72)
PROMPT = PromptFigures(100, 60, 30, 7, 3, HoleStart.LINE, True, {Source.OPEN: 7})
DECODING = DecodingFigures(90, 5, 10, 3, "end of line", -0.12345)


def trace_of(uri: str = "file:///a.py", **more: object) -> RequestTrace:
    return RequestTrace(uri, Trigger.AUTOMATIC, **more)


def test_a_trace_tells_outcome_reason_remedy_and_times():
    trace = trace_of()
    with trace.timings.step("prompt"):
        pass
    trace.reject(Silence(Reason.LOW_CONFIDENCE, confidence=CONFIDENCE))
    trace.finish()
    told = as_json(trace)

    assert "nothing" == told["outcome"]
    assert "lowConfidence" == told["reasonCode"]
    assert "not confident enough: 10 %, needs 25 %" == told["reason"]
    assert "fimLsp.eagerness 0.72" in told["remedy"]
    assert {"prompt", "total"} == set(told["timingsMs"])


def test_all_figures_of_a_generation_stand_side_by_side():
    generation = GenerationTrace(PROMPT, DECODING, CONFIDENCE, rules=("cut_at_stutter",))
    told = as_json(trace_of(answered_by=AnsweredBy.MODEL, generation=generation))
    figures = {
        "source": "model", "promptTokens": 100, "prefixTokens": 60, "suffixTokens": 30,
        "snippetTokens": 7, "typedTokens": 3, "holeStart": "line", "singleLine": True,
        "snippetTokensBySource": {"open": 7}, "cachedTokens": 90, "newTokens": 5,
        "readTokens": 10, "forcedTokens": 3, "finish": "end of line", "meanLogprob": -0.123,
        "probability": 0.1, "leastProbability": 0.25, "eagerness": 0.5, "eagernessToShow": 0.72,
        "rules": ["cut_at_stutter"],
    }  # fmt: skip

    assert figures == {name: told[name] for name in figures}
    assert told == json.loads(json.dumps(told))


def test_what_is_not_known_is_left_out():
    assert {
        "number",
        "uri",
        "trigger",
        "outcome",
        "reasonCode",
        "reason",
        "source",
        "timingsMs",
    } == set(as_json(trace_of()))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"debounce": DebounceFigures(10.0)}, {"waitMs": 10.0}),
        (
            {"debounce": DebounceFigures(10.0, 240, 35)},
            {"waitMs": 10.0, "keyGapMs": 240, "answerMs": 35},
        ),
        (
            {"line_ngrams": LineNgramFigures(4, 5, True, ConfidenceFigures(0.6, 0.25, 0.5))},
            {"writtenBefore": 4, "ofTimes": 5, "underSameLine": True, "probability": 0.6},
        ),
        ({"is_prefetched": True}, {"prepared": True}),
        (
            {
                "generation": GenerationTrace(
                    candidates=(CandidateFigures(9, 5, None, CandidateOutcome.FILTERED),)
                )
            },
            {
                "candidates": [
                    {"cachedTokens": 9, "newTokens": 5, "meanLogprob": None, "outcome": "filtered"}
                ]
            },
        ),
    ],
)
def test_each_step_adds_its_figures(more, expected):
    told = as_json(trace_of(**more))

    assert expected == {name: told[name] for name in expected}


def test_a_summary_is_one_line_without_the_users_code():
    trace = trace_of("file:///secret_project.py", outcome=RequestOutcome.SHOWN)
    trace.finish()

    assert "\n" not in summary(trace)
    assert "secret_project" not in summary(trace)


def test_the_newest_traces_are_kept_and_come_first():
    log = RequestLog()
    for number in range(200):
        log.add(trace_of(f"file:///{number}"))
    newest = log.newest()

    assert ("file:///199", 200) == (newest[0].uri, newest[0].number)
    assert len(newest) < 200


def test_traces_are_chosen_by_document_and_number():
    log = RequestLog()
    for uri in ("file:///a%20b.py", "file:///c.py", "file:///a%20b.py"):
        log.add(trace_of(uri))

    assert [3] == [trace.number for trace in log.newest(limit=1)]
    assert [3, 1] == [trace.number for trace in log.newest("file:///a b.py")]
    assert [] == log.newest("file:///d.py")


def test_markdown_tells_of_the_last_request_that_was_carried_through_and_then_of_the_others():
    shown = trace_of(
        outcome=RequestOutcome.SHOWN,
        answered_by=AnsweredBy.MODEL,
        generation=GenerationTrace(PROMPT, DECODING, CONFIDENCE),
    )
    shown.finish()
    excluded = trace_of("file:///b_c.py")
    excluded.reject(Silence(Reason.TOO_SHORT))
    text = markdown(
        [trace_of(outcome=RequestOutcome.SUPERSEDED), shown, excluded],
        lambda uri: uri.rpartition("/")[2],
    )
    last, _, others = text.partition("## The other requests")

    assert "**A suggestion was shown.**" in last
    assert "- file: a.py" in last
    assert "from the model" in last
    assert "100 tokens: 60 before the cursor" in last
    assert "| total |" in last
    assert ["superseded in a.py", r"nothing (too short) in b\_c.py"] == [
        line[2:] for line in others.splitlines() if line.startswith("- ")
    ]


def test_markdown_says_what_to_do_where_nothing_was_shown():
    trace = trace_of()
    trace.reject(Silence(Reason.LOW_CONFIDENCE, confidence=CONFIDENCE))

    assert "Why: not confident enough: 10 %, needs 25 %" in markdown([trace], str)
    assert "What to do: fimLsp.eagerness 0.72" in markdown([trace], str)


def test_markdown_of_no_request_says_how_to_make_one():
    assert "Type something" in markdown([], str)
