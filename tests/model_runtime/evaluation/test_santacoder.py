"""SantaCoder-FIM: which answers count as right, which rows are chosen, how they are summed up."""

import pytest

from model_runtime.evaluation import santacoder
from model_runtime.evaluation.errors import DataError
from model_runtime.evaluation.tasks import Task
from model_runtime.prompt.encoder import Hole

ANSWERS = {
    "the line itself": ("    return x", "    return x", True),
    "other white space at its ends": ("return x  ", "    return x", True),
    "more lines after it": ("    return x\n}\n", "    return x", True),
    "after a line end": ("\n    return x\n}", "    return x", True),
    "after a blank and a line end": (" \n    return x", "    return x", True),
    "after two line ends": ("\n\n    return x", "    return x", False),
    "a comment behind it": ("    return x  # done", "    return x", False),
    "another line": ("    return y", "    return x", False),
    "nothing": ("", "    return x", False),
}


def tasks(language: str, number: int) -> list[Task]:
    return [
        Task(f"{language}/{row}", row // 2, Hole("a\n", "c\n"), "b", "", "")
        for row in range(number)
    ]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_is_right_if_its_first_line_is_the_missing_one(answer):
    text, middle, is_right = ANSWERS[answer]

    assert is_right == santacoder.is_exact(text, middle)


@pytest.mark.parametrize("number", [3, 10, 29])
def test_fewer_rows_keep_the_shares_of_the_languages(number):
    chosen = santacoder.choose({"py": tasks("py", 10), "js": tasks("js", 20)}, number)

    assert number - 2 <= sum(map(len, chosen.values())) <= number
    assert abs(len(chosen["js"]) - 2 * len(chosen["py"])) <= 2
    assert all(len(set(rows)) == len(rows) for rows in chosen.values())


def test_scores_are_shares_of_each_language_and_of_all():
    rows = {"py": tasks("py", 4), "js": tasks("js", 6)}
    answers = {task.id: "b" if task.id in ("py/0", "js/1", "js/2") else "" for task in
               (*rows["py"], *rows["js"])}  # fmt: skip

    found = {score.language: score for score in santacoder.score(rows, answers)}

    assert ["py", "js", "all"] == list(found)
    assert [4, 6, 10] == [score.rows for score in found.values()]
    assert [0.25, 1 / 3, 0.3] == pytest.approx([s.exact_match.mean for s in found.values()])


def test_another_file_is_refused(tmp_path):
    (tmp_path / "train.parquet").write_bytes(b"PAR1")

    with pytest.raises(DataError, match="is not the published file"):
        santacoder.read(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"cannot be read .*; the file is train\.parquet"):
        santacoder.read(tmp_path / "missing.parquet")
