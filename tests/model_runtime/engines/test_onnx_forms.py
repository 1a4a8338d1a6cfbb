"""The ONNX engine loads the forms of the weights that are fastest here."""

import logging

import pytest

from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.onnx.forms import (
    Forms,
    Seconds,
    chosen_forms,
    fastest_forms,
    row_kind,
)
from model_runtime.engines.onnx.matrices import KINDS
from model_runtime.engines.protocol import SamplingParams
from tests.support.random_models import VARIANTS, make_bundle

ROWS = "int8-rows"
BLOCKS = Forms("int8-128")
PLENTY = 2**40


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of its own."""
    for module in ("measurements", "engines.artifact_cache"):
        monkeypatch.setattr(
            f"model_runtime.{module}.user_cache_path", lambda *_, **__: tmp_path / "cache"
        )
    return tmp_path / "cache"


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path, VARIANTS["tied"], "int8")


@pytest.mark.parametrize(
    ("times", "has_room", "expected"),
    [
        ({1: (10, 9), 4: (20, 11), 32: (90, 50)}, True, Forms(ROWS)),
        ({1: (10, 9), 4: (20, 11), 32: (90, 50)}, False, Forms(ROWS)),
        ({1: (10, 10.2), 4: (20, 11), 32: (90, 50)}, True, Forms(ROWS)),
        ({1: (10, 13), 4: (20, 11), 32: (90, 50)}, True, Forms("int8-128", ROWS, 4)),
        ({1: (10, 13), 4: (20, 11), 32: (90, 50)}, False, BLOCKS),
        ({1: (10, 13), 4: (20, 22), 32: (90, 50)}, True, Forms("int8-128", ROWS, 32)),
        ({1: (10, 13), 4: (20, 11), 32: (90, 89)}, True, BLOCKS),
        ({1: (10, 9), 4: (20, 30), 32: (90, 99)}, True, BLOCKS),
        ({1: (10, 20)}, True, BLOCKS),
    ],
)
def test_each_length_is_run_in_the_form_that_takes_least_time(times, has_room, expected):
    seconds = {length: Seconds(*both) for length, both in times.items()}

    assert expected == fastest_forms(seconds, ROWS, has_room=has_room)


def test_small_models_have_one_form_and_nothing_is_measured(cache, bundle):
    assert BLOCKS == chosen_forms(bundle, 1)
    assert not cache.exists()


def test_where_memory_is_short_nothing_is_measured(cache, bundle):
    assert BLOCKS == chosen_forms(bundle, 1, min_weights=0, free=1000)
    assert not cache.exists()


def test_what_was_measured_is_remembered(cache, bundle):
    first = chosen_forms(bundle, 1, min_weights=0, free=PLENTY)
    (file,) = (cache / "forms").iterdir()
    written = file.read_bytes()

    assert first == chosen_forms(bundle, 1, min_weights=0, free=PLENTY)
    assert written == file.read_bytes()
    assert {first.writing, first.reading} <= {"", *KINDS}


@pytest.mark.parametrize("content", ["", "[]", '{"1": 3}', '{"4": [1, 2]}', '{"1": [1, "x"]}'])
def test_damaged_figures_are_measured_again(cache, bundle, caplog, content):
    chosen_forms(bundle, 1, min_weights=0, free=PLENTY)
    (file,) = (cache / "forms").iterdir()
    file.write_text(content)
    with caplog.at_level(logging.WARNING):
        chosen_forms(bundle, 1, min_weights=0, free=PLENTY)

    assert "measuring again" in caplog.text
    assert content != file.read_text()


def test_what_was_measured_is_used_where_memory_is_short(cache, bundle):
    """One form in place of the other takes no more memory; two would."""
    chosen_forms(bundle, 1, min_weights=0, free=PLENTY)
    (file,) = (cache / "forms").iterdir()
    by_rows, in_blocks = Forms(row_kind(), id_seconds=2.75), BLOCKS._replace(id_seconds=5.0)
    for single, expected in ((9, by_rows), (13, in_blocks)):
        file.write_text(f'{{"1": [10, {single}], "4": [20, 11]}}')

        assert expected == chosen_forms(bundle, 1, min_weights=0, free=1000)


def test_a_disk_without_room_for_a_second_form_leaves_one(cache, bundle, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr("model_runtime.engines.onnx.forms.artifact_folder", full)
    with caplog.at_level(logging.WARNING):
        assert BLOCKS == chosen_forms(bundle, 1, min_weights=0, free=PLENTY)
    assert "no space left" in caplog.text


def test_the_engine_runs_in_the_chosen_form(cache, bundle, monkeypatch):
    forms = Forms("int8-128", row_kind(), 16)
    monkeypatch.setattr("model_runtime.engines.onnx.engine.chosen_forms", lambda *_: forms)
    engine = OnnxEngine.open(bundle, threads=1)
    with engine.generate(list(range(6, 90)), SamplingParams(4, frozenset())) as stream:
        assert 4 == len(list(stream))
    engine.close()

    names = {folder.name.rpartition("-")[0] for folder in (cache / "derived").iterdir()}
    assert {"onnx-int8-128", f"onnx-{row_kind()}"} == names


def test_an_engine_that_became_slow_has_its_forms_measured_again(cache, bundle):
    chosen_forms(bundle, 1, min_weights=0, free=PLENTY)
    (file,) = (cache / "forms").iterdir()
    engine = OnnxEngine.open(bundle, threads=1)
    engine.forget_choice()
    engine.forget_choice()
    engine.close()

    assert not file.exists()
