"""The benchmark's rows are the published ones, and the judge gives the answers known for them."""

import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_runtime.evaluation.errors import DataError, EvaluationError
from model_runtime.evaluation.sandbox import Limits, Sandbox
from model_runtime.evaluation.splits import SPLITS
from model_runtime.evaluation.tasks import choose, read_split

SINGLE, LIGHT = SPLITS["single-line"], SPLITS["random-span-light"]


@pytest.fixture(scope="module")
def single_line(data):
    return read_split(data, SINGLE)


@pytest.mark.parametrize("split", [SINGLE, LIGHT], ids=lambda split: split.name)
def test_a_split_has_its_published_rows(data, split):
    tasks = read_split(data, split)

    assert split.rows == len(tasks)
    assert split.rows == len({task.id for task in tasks})
    assert set(range(164)) == {task.problem for task in tasks}


def test_problems_are_told_apart_where_functions_share_a_name(data):
    tasks = read_split(data, LIGHT)

    assert 158 == len({task.entry_point for task in tasks})
    assert 164 == len({task.problem for task in tasks})


def test_a_single_line_hole_is_a_whole_line(single_line):
    for task in single_line:
        assert task.hole.prefix.endswith("\n")
        assert task.middle.endswith("\n")
        assert 1 == task.middle.count("\n")


def test_a_program_is_the_document_its_tests_and_their_call(single_line):
    task = single_line[0]
    program = task.program("MIDDLE")

    assert program.startswith(task.hole.prefix + "MIDDLE" + task.hole.suffix + "\n")
    assert program.endswith("\ncheck(has_close_elements)")


def test_a_changed_file_is_refused(data, tmp_path):
    packed = (data / SINGLE.file).read_bytes()
    (tmp_path / SINGLE.file).write_bytes(packed[:-1] + b"x")

    with pytest.raises(DataError, match="is not the published file"):
        read_split(tmp_path, SINGLE)


def test_another_split_under_this_name_is_refused(data, tmp_path):
    shutil.copy(data / LIGHT.file, tmp_path / SINGLE.file)

    with pytest.raises(DataError, match="is not the published file"):
        read_split(tmp_path, SINGLE)


def test_a_missing_file_says_where_it_comes_from(tmp_path):
    with pytest.raises(DataError, match="openai/human-eval-infilling"):
        read_split(tmp_path, SINGLE)


@pytest.mark.parametrize("number", [40, 300, 1000])
def test_a_choice_gives_every_problem_its_share_of_rows(single_line, number):
    """Else a problem with few lines would count for more than it does in the whole split."""
    total = Counter(task.problem for task in single_line)
    chosen = Counter(task.problem for task in choose(single_line, number))

    for problem, rows in total.items():
        assert abs(chosen[problem] - rows * number / 1033) < 1.5


def test_a_smaller_choice_is_part_of_a_larger_one(single_line):
    small = {task.id for task in choose(single_line, 50, seed=3)}
    large = {task.id for task in choose(single_line, 200, seed=3)}

    assert 50 == len(small)
    assert small < large


def test_a_choice_depends_on_the_seed_and_keeps_the_order(single_line):
    first, second = (choose(single_line, 50, seed=seed) for seed in (0, 1))

    assert first != second
    assert [task for task in single_line if task in first] == first


def test_a_choice_does_not_depend_on_the_order_of_the_rows(single_line):
    forwards = choose(single_line, 50)
    backwards = choose(single_line[::-1], 50)

    assert forwards == backwards[::-1]


def test_no_number_means_all(single_line):
    assert single_line == choose(single_line, None)


@pytest.mark.parametrize("number", [0, -1, 1034])
def test_a_choice_that_cannot_be_made_is_refused(single_line, number):
    with pytest.raises(EvaluationError, match="cannot be chosen from 1033"):
        choose(single_line, number)


def test_reference_middles_pass_and_other_text_does_not(sandbox, single_line):
    tasks = choose(single_line, 24)

    assert [] == [task.id for task in tasks if not sandbox.run(task.program(task.middle)).passed]
    assert not any(sandbox.run(task.program("    raise\n")).passed for task in tasks[:8])


def test_the_known_empty_completions_of_two_problems_pass(sandbox, single_line):
    """The floor, in small: lines that do not matter for the tests."""
    lines = [("20", "L0"), ("20", "L8"), ("127", "L3"), ("127", "L5"), ("127", "L6"), ("127", "L8")]
    found = [
        task.id
        for task in single_line
        if task.problem in (20, 127) and sandbox.run(task.program("")).passed
    ]

    assert [f"SingleLineInfilling/HumanEval/{problem}/{line}" for problem, line in lines] == found


@pytest.mark.slow
@pytest.mark.parametrize("split", [SINGLE, LIGHT], ids=lambda split: split.name)
def test_the_floor_is_the_known_one(sandbox, data, split):
    """All empty completions: 27 of 1,033 pass, and 0 of 164.

    What does not compile passes nowhere, so it is not run.  Programs that never end are stopped
    early, and get the benchmark's whole time only where the count falls short (a slow machine).
    """
    tasks = [task for task in read_split(data, split) if compiles(task.program(""))]
    early = Sandbox(sandbox.isolation, Limits(seconds=0.5))
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda task: early.run(task.program("")), tasks))
    passed = sum(outcome.passed for outcome in outcomes)
    if passed < split.empty_passes:
        late = [task for task, outcome in zip(tasks, outcomes, strict=True) if is_late(outcome)]
        passed += sum(sandbox.run(task.program("")).passed for task in late)

    assert split.empty_passes == passed


def compiles(program):
    try:
        compile(program, "<program>", "exec")
    except SyntaxError:
        return False
    return True


def is_late(outcome):
    return outcome.reason == "time limit"
