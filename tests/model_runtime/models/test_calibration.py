"""The dial's table: one dial from fewer to more, in the manifest or the general one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.errors import BundleError
from model_runtime.models.calibration import UNCALIBRATED, Calibration, CalibrationPoint, table
from model_runtime.models.manifest import Manifest, signed
from model_runtime.store import installed
from tests.support.format_1 import format_1_manifest

TABLE = table([(0, 0.9, 0.6), (0.5, 0.4, 0.25), (1, 0.1, 0.05)], "measured on three files")


def embedded() -> dict:
    text = (installed.default_folder() / "manifest.json").read_text("utf-8")
    return json.loads(text)


@given(st.floats(0, 1), st.floats(0, 1))
def test_eagerness_is_one_dial_from_fewer_to_more(one, other):
    for calibration in (UNCALIBRATED, TABLE):
        low, high = sorted((one, other))
        assert calibration.least_probability(low) >= calibration.least_probability(high)
        assert calibration.acceptance(low) >= calibration.acceptance(high)


def test_between_the_points_the_probability_goes_by_ratios_and_the_acceptance_by_differences():
    assert (0.9, 0.6) == (TABLE.least_probability(0), TABLE.acceptance(0))
    assert (0.9 * 0.4) ** 0.5 == pytest.approx(TABLE.least_probability(0.25))
    assert 0.425 == pytest.approx(TABLE.acceptance(0.25))
    assert (0.1, 0.05) == pytest.approx((TABLE.least_probability(7), TABLE.acceptance(1)))


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ((), "from eagerness 0 to eagerness 1"),
        (((0, 0.5, 0.5), (0.5, 0.2, 0.2)), "from eagerness 0 to eagerness 1"),
        (((0, 0.5, 0.5), (0, 0.2, 0.2), (1, 0.1, 0.1)), "must rise"),
        (((0, 0.5, 0.5), (1, 0.6, 0.2)), "cannot ask for a higher probability"),
        (((0, 0.5, 0.5), (1, 0.0, 0.2)), "above 0 and at most 1"),
        (((0, 0.5, 1.5), (1, 0.1, 0.2)), "an acceptance 0 to 1"),
        (((0, float("nan"), 0.5), (1, 0.1, 0.2)), "above 0 and at most 1"),
    ],
)
def test_a_table_that_is_no_dial_is_refused(points, problem):
    with pytest.raises(ValueError, match=problem):
        Calibration(tuple(CalibrationPoint(*point) for point in points))


def test_a_manifest_keeps_its_table():
    manifest = Manifest.from_json(signed(embedded() | {"calibration": None}))
    with_table = Manifest.from_json(
        signed(
            embedded()
            | {
                "calibration": {
                    "points": [
                        {"eagerness": 0, "probability": 0.9, "acceptance": 0.6},
                        {"eagerness": 1.0, "probability": 0.1, "acceptance": 0.05},
                    ],
                    "measured": "on one file",
                }
            }
        )
    )

    assert manifest.calibration is None
    assert "calibration" not in json.loads(manifest.to_json())
    assert with_table == Manifest.from_json(with_table.to_json())
    assert "on one file" == with_table.calibration.measured


def test_a_manifest_from_before_there_were_tables_loads_as_it_is():
    raw = format_1_manifest(embedded())
    manifest = Manifest.from_json(json.dumps(raw))

    assert manifest.calibration is None
    changed = {"format_version", "architecture", "position_embedding", "weights"}
    changed |= {"order", "tokens", "hole_start", "canary"}
    kept = {name: value for name, value in raw.items() if name not in changed}
    assert kept.items() <= json.loads(manifest.to_json()).items()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (3, "calibration must be an object"),
        ({}, r"calibration\.points is missing"),
        ({"points": [1]}, r"calibration\.points\[0\] must be an object"),
        ({"points": [{}]}, r"calibration\.points\[0\]\.eagerness is missing"),
        (
            {"points": [], "languages": {"go": [{"eagerness": "x"}]}},
            r"calibration\.languages\.go\[0\]\.eagerness must be a number",
        ),
        ({"points": [], "measured": "x"}, "calibration: points must go from"),
    ],
)
def test_a_wrong_table_is_refused_by_name(value, problem):
    with pytest.raises(BundleError, match=problem):
        Manifest.from_json(signed(embedded() | {"calibration": value}))
