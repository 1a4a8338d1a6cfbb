"""The machine's speed is measured by real products, and remembered."""

import json
import math
import sys
from dataclasses import asdict

import pytest

from model_runtime import measurements
from model_runtime.machine.speed import MachineSpeed, measured_speed, speed_file
from model_runtime.measurements import remember

KNOWN = MachineSpeed(bandwidth=3e10, flops=4e11, threads=1)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(measurements, "user_cache_path", lambda *_, **__: tmp_path)
    return tmp_path


def is_measured(speed):
    numbers = (speed.bandwidth, speed.flops)
    return all(math.isfinite(one) and one > 0 for one in numbers) and speed != KNOWN


def test_what_was_measured_is_taken_again_and_measured_anew_where_that_is_asked():
    remember(speed_file(1), asdict(KNOWN))

    assert KNOWN == measured_speed(threads=1)
    assert is_measured(measured_speed(threads=1, anew=True))


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        "[]",
        "{}",
        json.dumps({**asdict(KNOWN), "flops": 0}),
        json.dumps({**asdict(KNOWN), "flops": "fast"}),
        json.dumps({**asdict(KNOWN), "threads": True}),
        json.dumps({**asdict(KNOWN), "bandwidth": math.nan}),
        json.dumps({**asdict(KNOWN), "other": 1}),
    ],
)
def test_a_damaged_file_is_measured_again(damaged):
    path = speed_file(1)
    path.parent.mkdir(parents=True)
    path.write_text(damaged)

    speed = measured_speed(threads=1)

    assert is_measured(speed)
    # A busy machine's figures are not kept, so what is damaged stays.
    kept = path.read_text()
    assert kept == damaged if speed.is_busy else asdict(speed) == json.loads(kept)


def test_other_threads_are_another_measurement():
    assert speed_file(1) != speed_file(2)


def test_without_onnx_runtime_numpy_tells_the_speed(monkeypatch):
    for module in list(sys.modules):
        if module.startswith("model_runtime.engines.onnx."):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    assert is_measured(measured_speed(threads=1))
