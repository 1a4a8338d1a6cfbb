"""The decision trail says what came of a request, why, and what can be done."""

from fim_lsp.completion.trace import RequestLog, RequestTrace


def test_a_decision_tells_outcome_reason_remedy_and_times():
    decision = RequestTrace("file:///a.py", "automatic")
    with decision.step("prompt"):
        pass
    decision.nothing("too unsure: 0.10, below 0.25")
    decision.details["eagernessToShow"] = 0.72
    decision.finish()
    told = decision.as_json()

    assert "nothing" == told["outcome"]
    assert "too unsure: 0.10, below 0.25" == told["reason"]
    assert "fimLsp.eagerness 0.72" in told["remedy"]
    assert {"prompt", "total"} == set(told["timingsMs"])


def test_a_summary_is_one_line_without_the_users_code():
    decision = RequestTrace("file:///secret_project.py", "automatic")
    decision.outcome = "shown"
    decision.finish()

    assert "\n" not in decision.summary()
    assert "secret_project" not in decision.summary()


def test_the_newest_decisions_are_kept_and_come_first():
    trail = RequestLog()
    for number in range(200):
        trail.add(RequestTrace(f"file:///{number}", "automatic"))
    told = trail.as_json()

    assert "file:///199" == told[0]["uri"]
    assert len(told) < 200
