"""A replay through a real server process, whose model knows the file, or knows better."""

import json
import sys
from html.parser import HTMLParser

import pytest

from fim_lsp.cli import main
from fim_lsp.errors import FimLspError
from fim_lsp.replay import page, report, script, session, user
from fim_lsp.replay.typist import Manner
from fim_lsp.replay.user import num_keys

SERVER = "tests.fim_lsp.replay.knowing_server"
FAST = Manner(is_fast=True)
TEXT = "def area(width, height):\n    return width * height\n"


@pytest.fixture
def replay(tmp_path):
    path = tmp_path / "area.py"
    path.write_text(TEXT)

    def run(*options, manner=FAST, **more):
        command = (sys.executable, "-m", SERVER, str(path), *options)
        scripts = [script.of_file(path)]
        return session.run(scripts, manner, {}, description="a test", command=command, **more)

    return run


def test_who_suggests_what_comes_next_saves_all_keys_of_a_line_but_two(replay):
    """One key must be typed before the editor asks, and one accepts."""
    total = replay().total

    # Of each line the first key, the accept and Enter; Enter is no part of a line's suggestion.
    assert num_keys(TEXT) == total.keys
    assert (2, 0) == (total.accepted, total.wrong)
    assert 5 == total.pressed  # d, accept; Enter, accept; Enter
    assert 1.0 == total.as_json()["keptShare"]


def test_word_by_word_each_word_costs_a_key(replay):
    total = replay(manner=Manner(is_fast=True, take=user.take_words)).total

    assert num_keys(TEXT) == total.keys
    assert 5 < total.pressed < num_keys(TEXT)


def test_who_suggests_what_is_not_wanted_saves_nothing_and_is_told_so(replay):
    total = replay("--wrong").total

    assert total.keys == total.pressed == num_keys(TEXT)
    assert 0 == total.accepted
    assert total.wrong == total.shown > 0


def test_at_a_human_pace_an_answer_in_time_is_taken_as_well(replay):
    total = replay(recorded_ms=(1500.0,)).total

    assert 2 == total.accepted
    assert total.latencies_ms


def test_only_so_many_keys_are_typed_as_asked_for(replay):
    assert 3 == replay("--wrong", manner=Manner(is_fast=True, max_keys=3)).total.keys


def test_the_report_says_the_same_in_json_and_on_the_page(replay):
    done = replay()
    told = report.as_json(done)
    shown = _Text()
    shown.feed(page.html(done))

    assert 2 == told["total"]["accepted"] == told["languages"]["python"]["accepted"]
    assert {"model": 2} == dict(done.total.sources)
    assert "scripted" == told["model"]
    json.dumps(told, allow_nan=False)
    assert f"{100 * done.total.saved_share:.1f} % of the keys saved" in shown.text
    assert "accepted 2, passed 0, wrong 0 of 2 shown" in shown.text
    assert not shown.loads


class _Text(HTMLParser):
    """The words of a page, and whatever it would fetch."""

    def __init__(self):
        super().__init__()
        self.text, self.loads = "", []

    def handle_starttag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        self.text += data


def test_a_server_that_does_not_start_is_said_so(tmp_path):
    with pytest.raises(FimLspError, match="the server ended"):
        session.run([], FAST, {}, description="a test", command=(sys.executable, "-c", "pass"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name files to type, or commits"),
        (["a.py", "--git", "A..B"], "not both"),
        (["missing.py"], "missing.py"),
        (["--set", "eagerness", __file__], "expected NAME=VALUE"),
        (["--set", "eagernes=1", __file__], "did you mean eagerness?"),
        (["--keys", "-1", __file__], "--keys -1"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments, said, capsys):
    assert main(["replay", *arguments]) in (1, 2)
    assert said in capsys.readouterr().err
