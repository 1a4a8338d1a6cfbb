"""Accepted suggestions and saved keys are counted by day, in numbers alone."""

import datetime
import json
from dataclasses import replace

import pytest

from fim_lsp.cli import main
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.feedback import acceptance_store, saved_keys
from fim_lsp.feedback.saved_keys import MAX_DAYS, Day, SavedKeys
from fim_lsp.feedback.threshold import ThresholdAdapter
from fim_lsp.suggestion import Trigger
from tests.fim_lsp.completion.test_provider import NO_PAUSE, ready, snapshot

TODAY = datetime.date(2026, 11, 29)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "saved_keys.json"


async def accepting(tmp_path, trigger=Trigger.AUTOMATIC, **settings):
    """A provider whose suggestion `a + b` was accepted, and the object that counts."""
    _, _, host = await ready("a + b")
    counting = SavedKeys(tmp_path / "saved_keys.json", lambda: TODAY)
    provider = CompletionProvider(
        host, threshold=ThresholdAdapter(tmp_path / "accepted.json"), saved_keys=counting
    )
    request = CompletionRequest(snapshot("x = |\n"), trigger, replace(NO_PAUSE, **settings))
    (completion,) = await provider.complete(request)
    provider.accepted(completion.id)
    host.close()
    return provider


@pytest.mark.parametrize("trigger", Trigger)
async def test_an_accepted_suggestion_saves_its_characters_but_the_key_that_accepts_it(
    tmp_path, trigger
):
    provider = await accepting(tmp_path, trigger, candidates=1)

    assert [Day("2026-11-29", 1, len("a + b") - 1)] == provider.days()
    provider.close()
    assert {"version": 1, "days": {"2026-11-29": {"accepted": 1, "keys": 4}}} == json.loads(
        (tmp_path / "saved_keys.json").read_text("utf-8")
    )


async def test_where_nothing_is_to_be_learned_nothing_is_counted(tmp_path):
    provider = await accepting(tmp_path, learn_from_use=False)

    assert [] == provider.days()


def test_editors_add_to_one_file_which_keeps_the_last_days(path):
    for day in range(MAX_DAYS + 5):
        name = (TODAY + datetime.timedelta(days=day)).isoformat()
        assert saved_keys.add(path, {(name, "accepted"): 1, (name, "keys"): 9})
    newest = (TODAY + datetime.timedelta(days=MAX_DAYS + 4)).isoformat()
    assert saved_keys.add(path, {(newest, "accepted"): 2, (newest, "keys"): 1})

    days = saved_keys.by_day(saved_keys.read(path))
    assert MAX_DAYS == len(days)
    assert Day(newest, 3, 10) == days[-1]


@pytest.mark.parametrize(
    "content",
    [
        "",
        '{"version": 2, "days": {"2026-11-29": {"accepted": 1, "keys": 2}}}',
        '{"version": 1, "days": []}',
        '{"version": 1, "days": {"2026-11-29": 3, "Sunday": {"keys": 3}}}',
        '{"version": 1, "days": {"2026-11-29": {"accepted": -1, "keys": "3", "code": 4}}}',
    ],
)
def test_a_file_that_is_none_of_ours_counts_as_nothing(path, content):
    path.parent.mkdir()
    path.write_text(content, "utf-8")

    assert {} == saved_keys.read(path)


def test_the_command_tells_the_days_and_deletes_them(monkeypatch, path, capsys):
    monkeypatch.setattr(saved_keys, "default_file", lambda: path)
    monkeypatch.setattr(acceptance_store, "default_file", lambda: path.with_name("accepted.json"))
    saved_keys.add(path, {("2026-11-29", "accepted"): 3, ("2026-11-29", "keys"): 1234})

    assert 0 == main(["stats"])
    assert "Saved 1,234 keys with 3 accepted suggestions" in capsys.readouterr().out
    assert 0 == main(["stats", "--json"])
    days = json.loads(capsys.readouterr().out)["days"]
    assert [{"day": "2026-11-29", "accepted": 3, "keys": 1234}] == days

    assert 0 == main(["stats", "--clear"])
    assert not path.exists()
