"""A model as the server sees it: of a bundle here, or with its weights elsewhere."""

from __future__ import annotations

import pytest

from fim_lsp.settings import Settings
from model_runtime.engines import registry
from model_runtime.engines.kind import EngineKind, EngineOptions
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.models.calibration import Calibration, CalibrationPoint
from model_runtime.served_model import STANDARD_EAGERNESS, serve_bundle
from model_runtime.store import installed
from tests.support.scripted_host import scripted_model


def points(acceptance):
    """Points of a language in which so much is right of what is shown."""
    return (CalibrationPoint(0, 0.5, acceptance), CalibrationPoint(1, 0.1, acceptance))


CALIBRATION = Calibration(
    points(0.5), languages={"go": points(0.1), "python": points(0.6), "rust": points(0.3)}
)


@pytest.mark.parametrize(
    ("options", "language", "expected"),
    [
        ({}, "cobol", True),
        ({"languages": ("python",)}, "python", True),
        ({"languages": ("python",)}, "cobol", False),
        ({"calibration": CALIBRATION}, "go", False),
        ({"calibration": CALIBRATION}, "python", True),
        ({"calibration": CALIBRATION, "languages": ("go", "c")}, "go", False),
        ({"calibration": CALIBRATION, "languages": ("go", "c")}, "c", True),
        ({"calibration": CALIBRATION, "languages": ("go", "c")}, "cobol", False),
    ],
)
def test_it_suggests_where_it_is_right_often_enough_or_has_learned(options, language, expected):
    assert expected is scripted_model("x", **options).suggests_in(language)


def test_its_languages_are_those_in_which_it_suggests():
    model = scripted_model("x", calibration=CALIBRATION, languages=("go", "c"))

    assert ["c", "python", "rust"] == model.languages
    assert [] == scripted_model("x").languages


def test_the_standard_eagerness_is_that_of_the_settings():
    assert Settings().eagerness == STANDARD_EAGERNESS


def test_a_bundle_gives_all_that_a_server_asks_for():
    engine = ScriptedEngine([0])
    kind = EngineKind(name="toy", package="pytest", open=lambda bundle, options: engine)
    restore = registry.register(kind)
    bundle = installed.find("default")
    model = serve_bundle(bundle, "toy", EngineOptions())
    restore()

    assert bundle.manifest.name == model.name
    assert engine is model.engine
    assert (bundle.encoder, bundle.stop_ids) == (model.encoder, model.stop_ids)
    assert bundle.manifest.parameters == model.parameters
    assert (bundle.manifest.weights.sha256, "scripted") == model.identity
    assert "python" in model.languages
    assert model.choice is None
