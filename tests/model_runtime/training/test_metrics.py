"""A run writes down its figures, and shows them to a person."""

import struct
from pathlib import Path

import pytest
import torch
from tensorboardX.proto.event_pb2 import Event

from model_runtime.training import throughput
from model_runtime.training.metrics import MetricsLog


def read_events(path: Path) -> list[Event]:
    """Records of an event file: length (8 bytes), its checksum (4), data, its checksum (4)."""
    data, events = path.read_bytes(), []
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        events.append(Event.FromString(data[12 : 12 + size]))
        data = data[16 + size :]
    return events


def test_figures_reach_tensorboard_under_their_names(tmp_path: Path):
    log = MetricsLog(tmp_path, tensorboard=True)
    log.write(step=7, loss=2.5)
    log.write(event="valid", step=7, mid_bpb=1.25)
    log.close()
    (path,) = (tmp_path / "tensorboard").iterdir()
    found = {
        value.tag: (event.step, value.simple_value)
        for event in read_events(path)
        for value in event.summary.value
    }

    assert (7, 2.5) == found["train/loss"]
    assert (7, 1.25) == found["valid/mid_bpb"]
    assert "valid/event" not in found


def test_lines_of_steps_that_will_be_repeated_are_forgotten(tmp_path: Path):
    log = MetricsLog(tmp_path)
    for step in (1, 2, 3):
        log.write(step=step)
    with open(log.path, "a") as file:
        file.write('{"step": 4, "lo')  # the run was killed here
    log.forget_after(2)

    assert '{"step": 1}\n{"step": 2}\n' == log.path.read_text()


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H100 PCIe", 756.0),
        ("NVIDIA H200", 989.4),
        ("NVIDIA A100-SXM4-40GB", 311.9),
        ("NVIDIA L40S", 362.1),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("an accelerator of next year", None),
    ],
)
def test_known_accelerators_have_the_peak_of_their_data_sheet(name: str, tflops: float | None):
    assert tflops == throughput.data_sheet(name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_unknown_device_is_measured(dtype: torch.dtype):
    peak = throughput.peak_of(torch.device("cpu"), dtype)

    assert "measured" == peak.source and peak.flops > 1e8
