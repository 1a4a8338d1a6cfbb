"""Runs that were kept are compared row by row."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.evaluation.__main__ import main
from model_runtime.evaluation.compare import compare
from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.rows import MeasuredRows, pooled, read_rows

TERMS = {"split": "single-line", "temperature": 0.0, "weights_sha256": "a", "date": "today"}
PASSED, BITS = "pass@1, raw", "bits per byte, middle"


def keep(folder, model, passed, *, bits=(), **terms):
    """A run's folder, as an evaluation leaves it: two rows of each problem."""
    folder.mkdir()
    rows = MeasuredRows()
    for number, value in enumerate(passed):
        rows.add(PASSED, f"row {number}", value, cluster=number // 2)
        rows.add("pass@1, floor", f"row {number}", 0.0, cluster=number // 2)
    for number, (value, size) in enumerate(bits):
        rows.add(BITS, f"row {number}", value, cluster=number // 2, weight=size)
    rows.write(folder)
    report = {"model": model, "terms": {**TERMS, **terms}}
    (folder / "report.json").write_text(json.dumps(report))
    return folder


@pytest.fixture
def runs(tmp_path):
    worse = keep(tmp_path / "a", "worse", [0, 0, 1, 0, 0, 1] * 10, bits=[(8, 4)] * 60)
    better = keep(tmp_path / "b", "better", [1, 0, 1, 1, 0, 1] * 10, bits=[(4, 4)] * 60)
    return [worse, better]


def test_a_difference_is_the_later_run_less_the_first(runs):
    found = {entry.measure: entry for entry in compare(runs).differences}

    assert {PASSED, BITS} == set(found)  # the floor is the same in both
    assert (1 / 3, 2 / 3) == pytest.approx((found[PASSED].base.mean, found[PASSED].value.mean))
    assert 1 / 3 == pytest.approx(found[PASSED].difference.mean)
    assert found[PASSED].is_sure
    assert (-1.0, -1.0, -1.0) == pytest.approx(found[BITS].difference)


def test_runs_that_differ_by_chance_are_not_told_apart(tmp_path):
    folders = [
        keep(tmp_path / "a", "a", [1, 0, 0, 1] * 5),
        keep(tmp_path / "b", "b", [0, 1, 1, 0] * 5),
        keep(tmp_path / "c", "c", [1, 1, 0, 0] * 5),
    ]

    assert [False, False] == [entry.is_sure for entry in compare(folders).differences]


def test_only_rows_of_both_runs_count(tmp_path):
    whole = keep(tmp_path / "a", "a", [1] * 10 + [0] * 30)
    part = keep(tmp_path / "b", "b", [0] * 10, rows="10 of 40")
    (found,) = compare([whole, part]).differences

    assert (10, 1.0, -1.0) == (found.rows, found.base.mean, found.difference.mean)
    assert () == compare([whole, part]).warnings


def test_other_terms_are_told(tmp_path):
    folders = [
        keep(tmp_path / "a", "a", [1] * 4),
        keep(tmp_path / "b", "b", [1] * 4, temperature=1),
    ]
    (warning,) = compare(folders).warnings

    assert "temperature 0.0 and 1" in warning


def test_a_model_that_comes_twice_is_known_by_its_folder(tmp_path):
    folders = [keep(tmp_path / name, "m", [1] * 4) for name in ("greedy", "warm")]

    assert ["m (greedy)", "m (warm)"] == [run.label for run in compare(folders).runs]


def test_the_table_shows_what_is_sure(runs, capsys):
    assert 0 == main(["compare", *map(str, runs)])
    table = capsys.readouterr().out

    assert "pass@1, raw" in table
    assert "+0.3333" in table
    assert "-1.0000 (-1.0000 to -1.0000) *" in table


def test_a_program_reads_every_figure(runs, capsys):
    assert 0 == main(["compare", *map(str, runs), "--measure", "pass@1", "--json"])
    told = json.loads(capsys.readouterr().out)

    assert "worse" == told["base"]
    (entry,) = told["differences"]
    assert ("better", 60, True) == (entry["run"], entry["rows"], entry["is_sure"])
    assert 1 / 3 == pytest.approx(entry["difference"]["mean"])


def test_a_report_stands_for_its_folder(runs):
    assert compare(runs) == compare([runs[0] / "report.json", runs[1] / "rows.json"])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "two evaluations or more"),
        (["none"], "give the folder of an evaluation that ended"),
        (["b", "--measure", "pass@7"], "no rows in common for pass@7; "),
        (["damaged"], "is damaged; run the evaluation again"),
        (["other"], "no rows in common"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_one_sentence(runs, tmp_path, capsys, more, told):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "rows.json").write_text('{"rows": []}')
    other = MeasuredRows()
    other.add(PASSED, "another row", 1.0, cluster=0)
    (tmp_path / "other").mkdir()
    other.write(tmp_path / "other")
    (tmp_path / "other" / "report.json").write_text((runs[0] / "report.json").read_text())
    folders = [part if part.startswith(("--", "pass")) else str(tmp_path / part) for part in more]

    assert 1 == main(["compare", str(runs[0]), *folders])
    error = capsys.readouterr().err
    assert told in error
    assert 1 == error.count("\n")


def test_a_damaged_report_is_named(runs, capsys):
    (runs[1] / "report.json").write_text("[]")

    assert 1 == main(["compare", *map(str, runs)])
    assert "is not the report of an evaluation" in capsys.readouterr().err


def test_rows_are_read_as_they_were_written(runs):
    with pytest.raises(EvaluationError):
        read_rows(runs[0].parent)
    rows = read_rows(runs[0])
    rows.write(runs[1])

    assert rows == read_rows(runs[1])


def test_seeds_are_pooled_on_the_rows_that_all_have():
    first, second = MeasuredRows(), MeasuredRows()
    for row, (one, other) in {"a": (1.0, 0.0), "b": (1.0, 1.0)}.items():
        first.add(PASSED, row, one, cluster=row)
        second.add(PASSED, row, other, cluster=row)
    first.add(PASSED, "c", 0.0, cluster="c")
    both = pooled([first, second])

    assert {"a": (1.0, 2.0), "b": (2.0, 2.0)} == both.values[PASSED]
    assert 0.75 == both.interval(PASSED).mean


@given(st.lists(st.tuples(st.floats(0, 9), st.integers(0, 5)), min_size=1, max_size=40))
def test_a_run_does_not_differ_from_itself(values):
    rows = MeasuredRows()
    for number, (value, problem) in enumerate(values):
        rows.add(PASSED, str(number), value, cluster=problem, weight=1 + number)

    assert (0.0, 0.0, 0.0) == rows.difference(rows, PASSED)
