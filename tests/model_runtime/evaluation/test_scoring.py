"""Completions become scores: executed once each, clustered, beside the floor."""

import pytest

from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.isolation import Isolation
from model_runtime.evaluation.records import JsonLines, RunFolder
from model_runtime.evaluation.sandbox import Outcome, Sandbox
from model_runtime.evaluation.scoring import ProgramChecker, score
from model_runtime.evaluation.tasks import Task
from model_runtime.prompt.encoder import Hole

TASKS = [
    Task(
        f"t/{number}", number // 2, Hole("x = ", "\n"), "1", "def check(x):\n    assert x == 1", "x"
    )
    for number in range(6)
]


class Counting(Sandbox):
    """Runs nothing: a program passes where its first line says `x = 1`."""

    def run(self, program):
        self.__dict__.setdefault("programs", []).append(program)
        passed = program.startswith("x = 1\n")
        return Outcome(passed, "" if passed else "AssertionError: no", 0.0)


@pytest.fixture
def counting():
    return Counting(Isolation.NONE)


def judged(sandbox, store, answers):
    judge = ProgramChecker(sandbox, store)
    everything = [(task, text) for task in TASKS for text in (*answers[task.id], "")]
    assert len(judge.pending(everything)) == sum(1 for _ in judge.run(everything))
    return judge


def alike(*texts):
    return {task.id: texts for task in TASKS}


def test_a_program_is_run_once_however_often_it_was_written(counting, tmp_path):
    judged(counting, JsonLines(tmp_path / "verdicts"), alike("1", "1", "2", ""))

    assert 18 == len(counting.programs)


def test_verdicts_are_kept(counting, tmp_path):
    store = JsonLines(tmp_path / "verdicts")
    judged(counting, store, alike("1", "2"))
    judged(counting, store, alike("1", "2", "3"))

    assert 18 + 6 == len(counting.programs)


def test_pass_at_k_comes_for_those_k_that_the_samples_allow(counting, tmp_path):
    answers = alike(*["1"] * 3, *["2"] * 7)
    found = score("raw", TASKS, answers, judged(counting, JsonLines(tmp_path / "v"), answers))

    assert {1, 10} == found.pass_at.keys()
    assert 0.3 == pytest.approx(found.pass_at[1].mean)
    assert 1.0 == found.pass_at[10].mean


def test_the_distance_to_the_floor_is_paired(counting, tmp_path):
    answers = alike("1")
    found = score("raw", TASKS, answers, judged(counting, JsonLines(tmp_path / "v"), answers))

    assert (1.0, 1.0, 1.0) == found.above_floor


def test_failures_are_counted_by_their_name(counting, tmp_path):
    answers = alike("1", "2", "3")
    found = score("raw", TASKS, answers, judged(counting, JsonLines(tmp_path / "v"), answers))

    assert {"AssertionError": 12} == found.failures


def test_without_execution_there_is_only_comparison():
    found = score("raw", TASKS, alike(" 1\n", ""), None)

    assert {} == found.pass_at
    assert found.above_floor is None
    assert 0.5 == found.exact_match.mean
    assert 0.5 == found.edit_similarity.mean
    assert 0.5 == found.empty_share
    assert 1.5 == found.length_ratio


@pytest.mark.parametrize(
    "answers",
    [{}, {**alike("1"), "t/0": ()}, {**alike("1"), "t/0": ("1", "1")}],
    ids=["none", "a task without", "a task with more"],
)
def test_every_task_must_have_been_attempted_alike(answers):
    with pytest.raises(EvaluationError, match="same number of samples"):
        score("raw", TASKS, answers, None)


def test_real_programs_are_judged(sandbox, tmp_path):
    answers = alike("1", "2", "raise SystemExit")
    found = score("raw", TASKS, answers, judged(sandbox, JsonLines(tmp_path / "v"), answers))

    assert 1 / 3 == pytest.approx(found.pass_at[1].mean)
    assert {"AssertionError": 6, "SyntaxError": 6} == found.failures


def test_a_folder_answers_one_question_only(tmp_path):
    RunFolder(tmp_path / "run", {"temperature": 0.2})
    RunFolder(tmp_path / "run", {"temperature": 0.2})

    with pytest.raises(EvaluationError, match=r"temperature is 0\.2 there and 0\.8 now"):
        RunFolder(tmp_path / "run", {"temperature": 0.8})


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(EvaluationError, match="cannot be used"):
        RunFolder(tmp_path / "file" / "run", {})
