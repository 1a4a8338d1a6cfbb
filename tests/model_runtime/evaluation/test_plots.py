"""Training runs are drawn beside each other, with what was scored along them."""

import json

import pytest

from model_runtime.evaluation.__main__ import main
from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.plots import draw
from model_runtime.evaluation.training_curve import Point, read_curve


def keep(folder, *, steps=20, valid=True, place="train"):
    """The folder of a training run."""
    lines = []
    for step in range(1, steps + 1):
        lines.append({"step": step, "tokens": 1000 * step, "loss": 8.0 / step})
        if valid and step % 5 == 0:
            figures = {"mid_bpb": 4.0 / step, "ltr_bpb": 5.0 / step}
            lines.append({"event": "valid", "step": step, "tokens": 1000 * step, **figures})
    (folder / place).mkdir(parents=True)
    log = folder / place / "training_log.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def add_report(folder, tokens, mean, k="1"):
    folder.mkdir(parents=True)
    interval = {"mean": mean, "low": mean / 2, "high": mean * 2}
    report = {
        "model": "m",
        "terms": {"tokens_seen": tokens},
        "scores": [
            {"label": "floor", "pass_at": {k: {**interval, "mean": 0.0261}}},
            {"label": "raw", "pass_at": {k: interval}},
        ],
    }
    (folder / "report.json").write_text(json.dumps(report))


@pytest.fixture
def scored(tmp_path):
    """Two points and the end of one run."""
    run = keep(tmp_path / "fim")
    for place, tokens, mean in (
        ("points/1/infilling", 7_000, 0.01),
        ("infilling", 20_000, 0.05),
        ("points/2/infilling", 14_000, 0.03),
    ):
        add_report(run / place, tokens, mean)
    return run


def test_a_course_is_read_from_the_log_and_the_reports(scored):
    curve = read_curve("fim", scored)

    assert Point(1000, 8.0) == curve.loss[0]
    assert Point(2000, 6.0) == curve.loss[1]  # the mean of the first two
    assert [5000, 10000, 15000, 20000] == [point.tokens for point in curve.middle]
    assert [(7e3, 0.01), (14e3, 0.03), (2e4, 0.05)] == [
        (score.tokens, score.value.mean) for score in curve.scores
    ]
    assert {0.0261} == {score.floor for score in curve.scores}


@pytest.mark.parametrize("place", ["", "train", "export"])
def test_a_log_is_found_in_a_run_an_export_and_a_bundle(tmp_path, place):
    assert 20 == len(read_curve("m", keep(tmp_path / "m", place=place)).loss)


def test_reports_without_a_score_or_tokens_are_no_points(tmp_path):
    run = keep(tmp_path / "m")
    add_report(run / "a", None, 0.1)
    (run / "harness").mkdir()
    (run / "harness" / "report.json").write_text('{"model": "m", "terms": {}, "measured": []}')

    assert () == read_curve("m", run).scores


def test_both_pictures_show_every_label_and_panel(scored, tmp_path, capsys):
    other = keep(tmp_path / "other")
    command = ["plot", f"FIM={scored}", f"AR={other}", "--out", str(tmp_path / "curves")]
    assert 0 == main([*command, "--title", "two variants"])
    svg, png = map(str.strip, capsys.readouterr().out.splitlines())
    text = (tmp_path / "curves.svg").read_text()

    assert (str(tmp_path / "curves.svg"), str(tmp_path / "curves.png")) == (svg, png)
    for words in (
        "two variants",
        "FIM",
        "AR",
        "training loss, nats per token",
        "held-out bits per byte",
        "HumanEval-infilling, % (95 %)",
        "pass@1",
        "empty answer (the floor)",
        "thousand tokens",
    ):
        assert f">{words}<" in text
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_what_is_not_there_is_not_drawn(tmp_path):
    curve = read_curve("m", keep(tmp_path / "m", valid=False))
    svg, _ = draw([curve], tmp_path / "curves")

    assert "training loss" in svg.read_text()
    assert "held-out" not in svg.read_text()
    assert "infilling" not in svg.read_text()


def test_the_same_figures_give_the_same_picture(scored, tmp_path):
    curve = read_curve("fim", scored)
    one, other = (draw([curve], tmp_path / name)[0].read_bytes() for name in ("a", "b"))

    assert one == other


def test_a_folder_without_a_log_is_told(tmp_path, capsys):
    assert 1 == main(["plot", str(tmp_path), "--out", str(tmp_path / "curves")])
    assert "holds no training_log.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["nonsense\n", '{"step": 1}\n', "[1]\n"])
def test_a_damaged_log_is_told(tmp_path, text):
    (tmp_path / "training_log.jsonl").write_text(text)

    with pytest.raises(EvaluationError, match=r"training_log.jsonl .*is damaged"):
        read_curve("m", tmp_path)


def test_a_line_that_is_being_written_is_not_read_yet(tmp_path):
    run = keep(tmp_path / "m")
    with (run / "train" / "training_log.jsonl").open("a") as log:
        log.write('{"step": 21, "tok')

    assert 20 == len(read_curve("m", run).loss)


def test_an_empty_log_cannot_be_drawn(tmp_path):
    (tmp_path / "training_log.jsonl").write_text("")

    with pytest.raises(EvaluationError, match="no figure to draw yet"):
        draw([read_curve("m", tmp_path)], tmp_path / "curves")
