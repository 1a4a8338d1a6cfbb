"""Settings from every way that editors send them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.conftest import EDITORS, Connect, over_both_transports, recorded
from tests.support.wire import Message, Wire, texts

pytestmark = pytest.mark.scripted

CONFIGURATION = "workspace/didChangeConfiguration"


def count_of_candidates(wire: Wire) -> int:
    wire.open("x")
    return len(wire.complete(0, 1, kind=1)["items"])


@pytest.mark.parametrize("options", [{"candidates": 5}, {"fimLsp": {"candidates": 5}}])
def test_settings_come_with_initialize(fresh: Wire, options: Message):
    fresh.initialize({"initializationOptions": options})
    assert count_of_candidates(fresh) == 5


@pytest.mark.parametrize(
    "pushed", [{"fimLsp": {"candidates": 1}}, {"candidates": 1}], ids=["section", "bare"]
)
def test_pushed_settings_apply_at_once(wire: Wire, pushed: Message):
    wire.notify(CONFIGURATION, {"settings": pushed})
    assert count_of_candidates(wire) == 1


def test_what_a_push_does_not_name_is_as_it_was_at_initialize(fresh: Wire):
    fresh.initialize({"initializationOptions": {"candidates": 5}})
    fresh.notify(CONFIGURATION, {"settings": {"fimLsp": {"candidates": 1}}})
    fresh.notify(CONFIGURATION, {"settings": {"fimLsp": {"debounceMs": 10}}})
    assert count_of_candidates(fresh) == 5


@pytest.mark.parametrize("pushed", [None, {}, {"python": {"x": 1}}, [], "x"])
def test_a_push_that_says_nothing_makes_the_server_ask(fresh: Wire, pushed: Any):
    fresh.answers["workspace/configuration"] = lambda params: [{"candidates": 2}]
    fresh.initialize({"capabilities": {"workspace": {"configuration": True}}})
    fresh.receive(lambda message: message.get("method") == "workspace/configuration")
    fresh.answers["workspace/configuration"] = lambda params: [{"candidates": 4}]
    fresh.notify(CONFIGURATION, {"settings": pushed})
    asked = fresh.receive(lambda message: message.get("method") == "workspace/configuration")
    assert asked["params"] == {"items": [{"section": "fimLsp"}]}
    assert count_of_candidates(fresh) == 4


def test_a_client_that_cannot_be_asked_is_not_asked(wire: Wire):
    wire.notify(CONFIGURATION, {"settings": None})
    assert count_of_candidates(wire) == 3
    assert [m for m in wire.seen() if "method" in m and "id" in m] == []


@pytest.mark.parametrize("answer", [[None], [], None, "x", [3], [[]], {"0": {}}])
def test_an_odd_answer_to_the_question_changes_nothing(fresh: Wire, answer: Any):
    fresh.answers["workspace/configuration"] = lambda params: answer
    fresh.initialize({"capabilities": {"workspace": {"configuration": True}}})
    assert count_of_candidates(fresh) == 3


def test_a_client_that_never_answers_the_question_is_served(fresh: Wire):
    fresh.unanswered.add("workspace/configuration")
    fresh.initialize({"capabilities": {"workspace": {"configuration": True}}})
    assert count_of_candidates(fresh) == 3
    fresh.shut_down()
    assert fresh.hung_up()


@pytest.mark.parametrize("editor", EDITORS)
def test_every_editor_is_asked_once_and_for_nothing_else(connect_tcp: Connect, editor: str):
    """No `client/registerCapability`: the static capabilities serve all three."""
    wire = connect_tcp()
    wire.initialize(recorded(editor))
    wire.result("fimLsp/explain")
    asked = [(m["method"], m["params"]) for m in wire.seen() if "method" in m and "id" in m]
    assert asked == [("workspace/configuration", {"items": [{"section": "fimLsp"}]})]


@over_both_transports
def test_wrong_settings_are_named_once_and_good_ones_kept(fresh: Wire):
    fresh.initialize({"initializationOptions": {"candidates": 5, "debounceMs": "fast", "x": 1}})
    message = fresh.notification("window/showMessage")
    assert message["type"] == 2
    assert (
        "debounceMs must be auto or a whole number from 0 to 10000, got 'fast'"
        in message["message"]
    )
    assert "there is no setting 'x'" in message["message"]
    assert count_of_candidates(fresh) == 5

    def shown() -> list[str]:
        return [
            m["params"]["message"] for m in fresh.seen() if m.get("method") == "window/showMessage"
        ]

    wrong = {"fimLsp": {"debounceMs": "fast", "candidates": 2}}
    fresh.notify(CONFIGURATION, {"settings": wrong})
    assert shown() == []
    assert count_of_candidates(fresh) == 2
    fresh.notify(CONFIGURATION, {"settings": {"fimLsp": {}}})
    fresh.notify(CONFIGURATION, {"settings": wrong})
    assert len(shown()) == 1


@pytest.mark.parametrize("options", [3, "x", [], [1]])
def test_options_that_are_no_object_are_named(fresh: Wire, options: Any):
    fresh.initialize({"initializationOptions": options})
    assert "must be an object" in fresh.notification("window/showMessage")["message"]
    assert count_of_candidates(fresh) == 3


def test_completions_can_be_switched_off_and_on(wire: Wire):
    wire.open("x")
    wire.notify(CONFIGURATION, {"settings": {"fimLsp": {"enabled": False}}})
    assert wire.notification("fimLsp/status", state="disabled")
    assert wire.complete(0, 1) == {"items": []}
    wire.notify(CONFIGURATION, {"settings": {"fimLsp": {"enabled": True}}})
    assert wire.notification("fimLsp/status", state="ready")
    assert texts(wire.complete(0, 1)) == ["SAW:x"]


def test_a_language_can_be_switched_off(wire: Wire):
    wire.notify(CONFIGURATION, {"settings": {"fimLsp": {"languages": {"markdown": False}}}})
    wire.open("x", language="markdown")
    assert wire.complete(0, 1) == {"items": []}
    wire.open("x", language="python")
    assert texts(wire.complete(0, 1)) == ["SAW:x"]


def test_the_users_globs_exclude_files_and_take_them_out_of_the_context(wire: Wire):
    wire.notify(CONFIGURATION, {"settings": {"fimLsp": {"exclude": ["private/**"]}}})
    for name in ("private/a.py", "b.py"):
        wire.open("x", uri=f"file:///project/{name}")
    wire.open("others")
    assert wire.complete(0, 1, uri="file:///project/private/a.py") == {"items": []}
    assert texts(wire.complete(0, 6)) == ["OTHERS:b.py"]
