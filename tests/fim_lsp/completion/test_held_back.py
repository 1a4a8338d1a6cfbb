"""The user who asks why nothing came is shown what the model wrote, and nobody else is."""

import asyncio
import json
import re

import pytest

from fim_lsp.commands import support_report as reports
from fim_lsp.commands.doctor_report import Report
from fim_lsp.completion.explanation import markdown, rows, summary
from fim_lsp.completion.in_flight import InFlightGenerations
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.reasons import Reason, Silence
from fim_lsp.completion.trace import AnsweredBy, GenerationTrace
from fim_lsp.completion.trace_json import as_json
from fim_lsp.logs import configure
from fim_lsp.settings import Settings
from tests.fim_lsp.completion.test_provider import ask, last, ready

UNSURE = {"answer": "secret_name + 1", "logprob": -5.0}
DOCUMENT = "x = |\n"


async def silent(text: str = DOCUMENT, **answer: object) -> CompletionProvider:
    """Returns a provider that has just answered with nothing."""
    provider, _, host = await ready(**answer)
    assert [] == await ask(provider, text)
    host.close()
    return provider


def explained(provider: CompletionProvider) -> str:
    return markdown(provider.log.newest(), str)


@pytest.mark.parametrize(
    ("text", "answer", "reason", "expected"),
    [
        (DOCUMENT, UNSURE, Reason.LOW_CONFIDENCE, "secret"),
        (DOCUMENT, {"answer": "b"}, Reason.TOO_SHORT, "b"),
        ("|\ntotal = price\n", {"answer": "total = price"}, Reason.FILTERED, "total = price"),
    ],
)
async def test_the_explanation_shows_what_was_held_back(text, answer, reason, expected):
    provider = await silent(text, **answer)

    assert reason is last(provider).silence.reason
    block = re.search(r"held back:\n\n```\n(.+)\n```\n", explained(provider), re.DOTALL)
    assert block[1].startswith(expected)
    assert block[1] == dict(rows(last(provider)))["held back"]


async def test_what_was_shown_is_not_held_back():
    provider, _, host = await ready("a + b")
    await ask(provider, DOCUMENT)
    host.close()

    assert "held back" not in explained(provider)
    assert "held back" not in dict(rows(last(provider)))


async def test_a_request_that_joined_tells_the_reason_of_the_text_that_it_waited_for():
    in_flight = InFlightGenerations()
    provider, _, host = await ready(
        **UNSURE, collaborators={"in_flight": in_flight}, token_seconds=0.2
    )
    first = asyncio.create_task(ask(provider, DOCUMENT))
    while not in_flight:
        await asyncio.sleep(0)
    second = await ask(provider, DOCUMENT)
    host.close()

    assert (None, []) == (await first, second)
    assert AnsweredBy.IN_FLIGHT is last(provider).answered_by
    assert Reason.LOW_CONFIDENCE is last(provider).silence.reason


def test_a_text_is_kept_up_to_a_length():
    trace = GenerationTrace()
    trace.hold_back("word " * 4000, Silence(Reason.TOO_SHORT))

    assert 300 < len(trace.held_back) < 500
    assert trace.held_back.endswith("...")


async def test_a_text_does_not_end_the_block_that_it_stands_in():
    provider = await silent("|\n````\n", answer="````\n")
    told = explained(provider)

    assert "`````\n````\n`````" in told


async def test_controls_do_not_reach_a_terminal():
    provider = await silent(answer="\x1b[31m", logprob=-5.0)

    assert "\x1b" not in dict(rows(last(provider)))["held back"] + explained(provider)


async def test_a_closed_document_leaves_no_text_behind():
    provider = await silent(**UNSURE)
    provider.document_closed("file:///a.py")

    assert "held back" not in explained(provider)
    assert "not confident enough" in explained(provider)


async def test_no_json_no_summary_and_no_printed_object_has_it():
    provider = await silent(**UNSURE)
    trace = last(provider)

    assert "secret" in explained(provider)
    for told in (json.dumps(as_json(trace)), summary(trace), repr(trace), repr(trace.generation)):
        assert "secret" not in told


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("level", ["info", "debug"])
async def test_neither_the_log_nor_the_doctors_report_has_it(tmp_path, monkeypatch, level):
    log = tmp_path / "fim-lsp.log"
    monkeypatch.setattr(reports, "default_log_file", lambda: log)
    configure(level, log)
    provider = await silent(**UNSURE)
    assert "secret" in explained(provider)
    report = reports.support_report(
        Report("1.0", "3.11", "Linux", 2, ok=True), Settings(), prompt_tokens=512
    )

    assert "completion nothing" in log.read_text()
    assert "completion nothing" in report
    assert "secret" not in log.read_text() + report
