"""A calibration table is made from what replays showed."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.cli import main
from fim_lsp.replay import calibration, script
from fim_lsp.replay.calibration import TARGETS, Measured, fit
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.calibration import UNCALIBRATED
from model_runtime.store import installed


def measured(*rows: tuple[float, int, int]) -> list[Measured]:
    return [Measured(probability, shown, right, 0.0) for probability, shown, right in rows]


def probabilities(rows: list[Measured]) -> dict[float, float]:
    return {point.eagerness: point.probability for point in fit(rows, "").points}


def test_a_setting_asks_for_the_probability_that_reaches_its_share():
    found = probabilities(
        measured((0.1, 10_000, 1500), (0.2, 10_000, 3500), (0.4, 10_000, 5500), (0.8, 10_000, 7500))
    )

    assert [0.8, 0.1] == pytest.approx([found[0.0], found[1.0]], rel=0.02)
    assert [0.4, 0.2] == pytest.approx([found[0.5], found[0.75]], rel=0.02)
    assert 0.4 < found[0.25] < 0.8


def test_a_share_that_is_never_reached_leaves_the_general_probability_or_the_best():
    found = probabilities(measured((0.1, 1000, 10), (0.9, 1000, 100)))

    assert 0.9 == found[0.0] == found[0.5]


def test_a_few_lucky_suggestions_move_the_table_little():
    plain = probabilities(measured((0.1, 1000, 50), (0.5, 1000, 450)))
    lucky = probabilities(measured((0.1, 1000, 50), (0.5, 1000, 450), (0.9, 2, 2)))

    assert plain[0.75] == pytest.approx(lucky[0.75], rel=0.05)


def test_each_of_several_languages_has_points_of_its_own():
    rows = [
        Measured(0.1, 200, 60, 0.0, {"go": (100, 5), "python": (100, 55)}),
        Measured(0.6, 100, 60, 0.0, {"go": (40, 4), "python": (60, 56)}),
    ]
    table = fit(rows, "")

    assert {"go", "python"} == set(table.languages)
    go, python = (table.for_language(name) for name in ("go", "python"))
    assert go.least_probability(0.5) > python.least_probability(0.5)
    assert go.acceptance(0.5) < 0.25 < python.acceptance(0.5)
    assert {} == fit([rows[0]._replace(languages={})], "").languages


def test_a_language_with_a_handful_of_suggestions_gets_no_points():
    rows = [
        Measured(0.1, 200, 60, 0.0, {"go": (4, 1), "python": (196, 59)}),
        Measured(0.6, 100, 60, 0.0, {"go": (30, 25), "python": (60, 35)}),
    ]

    assert {"python"} == set(fit(rows, "").languages)


counts = st.integers(0, 1000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(st.lists(counts, min_size=1, max_size=8))
def test_whatever_was_measured_makes_a_dial(rows):
    table = fit(measured(*((0.1 * (n + 1), *row) for n, row in enumerate(rows))), "words")

    assert list(TARGETS) == [point.eagerness for point in table.points]
    assert all(point.acceptance <= TARGETS[point.eagerness] for point in table.points)


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(installed.default_folder(), folder)
    return folder


def test_a_table_is_kept_with_the_model_whose_weights_and_canary_stay(bundle):
    calibration.write(ModelBundle.open(bundle), UNCALIBRATED)
    opened = ModelBundle.open(bundle)
    opened.verify_weights()

    assert UNCALIBRATED == opened.manifest.calibration
    assert ["manifest.json"] == [path.name for path in bundle.glob("*manifest*")]


def test_a_lower_probability_shows_more_through_the_real_server(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("def area(width, height):\n    return width * height\n\n\n" * 3)
    told = {"engine": "onnx", "threads": 1}
    low, high = calibration.measure(script.of_files([file]), told, 150, (0.02, 0.9))

    assert low.shown > high.shown
    assert low.right <= low.shown


@pytest.mark.slow
def test_the_command_measures_prints_and_keeps(tmp_path, bundle, capsys):
    file = tmp_path / "a.py"
    file.write_text("def area(width, height):\n    return width * height\n")
    arguments = ["--model", str(bundle), "--keys", "20", "--engine", "onnx", "--threads", "1"]

    assert 0 == main(
        ["calibrate", str(file), "--json", "--write", "--words", "one file", *arguments]
    )
    printed = json.loads(capsys.readouterr().out)
    kept = json.loads((bundle / "manifest.json").read_text("utf-8"))["calibration"]
    assert printed["points"] == kept["points"]
    assert kept["measured"].startswith("one file, 20 keys of each")
    assert len(calibration.PROBABILITIES) == len(printed["figures"])
