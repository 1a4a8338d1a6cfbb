import json
import struct
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.models.weights import (
    DTYPES,
    TensorLayout,
    UnreadableWeights,
    WeightsFile,
    dequantise_rows,
    quantise_rows,
    write_weights,
)


def write(path, tensors, dtype="float32"):
    layout = {name: TensorLayout(DTYPES[dtype], value.shape) for name, value in tensors.items()}
    return write_weights(path, layout, tensors.items())


def test_what_is_written_is_what_the_safetensors_library_reads(tmp_path):
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b.c": np.ones(5, np.float32)}
    written = write(tmp_path / "w.safetensors", tensors)

    from safetensors.numpy import load_file

    loaded = load_file(tmp_path / "w.safetensors")
    assert {"a", "b.c"} == set(loaded)
    assert all(np.array_equal(tensors[name], loaded[name]) for name in tensors)
    assert written.size == (tmp_path / "w.safetensors").stat().st_size


def test_bfloat16_is_read_as_the_floats_it_stands_for(tmp_path):
    values = np.array([0.0, -1.5, 3.140625, 1e30, -0.0], np.float32)
    exact = (values.view(np.uint32) >> 16).astype(np.uint16)
    write(tmp_path / "w", {"x": exact}, "bfloat16")

    expected = (exact.astype(np.uint32) << 16).view(np.float32)
    assert expected.tolist() == WeightsFile(tmp_path / "w").float32("x").tolist()


@given(st.integers(1, 5), st.integers(1, 8), st.floats(1e-20, 1e20), st.integers(0, 2**32))
@settings(max_examples=50)
def test_quantised_rows_are_off_by_at_most_half_a_step(rows, columns, size, seed):
    matrix = (np.random.default_rng(seed).standard_normal((rows, columns)) * size).astype("f4")
    matrix[0] = 0

    quantised, scale = quantise_rows(matrix)

    assert np.abs(quantised).max() <= 127
    assert (np.abs(dequantise_rows(quantised, scale) - matrix) <= scale[:, None] * 0.501).all()
    again, scale_again = quantise_rows(dequantise_rows(quantised, scale))
    assert np.array_equal(quantised, again)
    assert np.allclose(scale, scale_again, rtol=1e-6)


@pytest.mark.parametrize("cut", [0, 4, 20, 90, -1])
def test_a_truncated_file_is_unreadable_not_wrong(tmp_path, cut):
    path = tmp_path / "w"
    write(path, {"x": np.ones((8, 8), np.float32)})
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(UnreadableWeights):
        WeightsFile(path)


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(UnreadableWeights):
        WeightsFile(tmp_path / "none")


def cut_into_parts(path, cuts):
    """Writes the content of a file as several, cut at these places."""
    content, paths = path.read_bytes(), []
    for start, end in pairwise([0, *cuts, len(content)]):
        paths.append(path.with_name(f"part{len(paths)}"))
        paths[-1].write_bytes(content[start:end])
    return paths


@given(st.sets(st.integers(1, 400), min_size=1, max_size=5))
@settings(max_examples=30)
def test_parts_are_read_as_the_file_that_they_were_cut_from(cuts):
    values = np.random.default_rng(0).standard_normal((9, 8)).astype("f4")
    quantised, scale = quantise_rows(values)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole"
        layout = {
            "v": TensorLayout("F32", (3,)),
            "m": TensorLayout("I8", (9, 8)),
            "m.scale": TensorLayout("F32", (9,)),
        }
        tensors = [("v", values[0, :3]), ("m", quantised), ("m.scale", scale)]
        size = write_weights(path, layout, tensors).size
        parts = WeightsFile(*cut_into_parts(path, sorted(cut for cut in cuts if cut < size)))

        assert values[0, :3].tolist() == parts.float32("v").tolist()
        assert dequantise_rows(quantised, scale).tolist() == parts.float32("m").tolist()


@pytest.mark.parametrize(
    "header",
    [
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}},
        {"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
        {"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}},
        {"x": {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32"}},
        {"x": 5},
        [],
    ],
)
def test_parts_with_a_header_that_does_not_fit_them_are_unreadable(tmp_path, header):
    encoded = json.dumps(header).encode()
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(encoded)) + encoded + bytes(8))

    with pytest.raises(UnreadableWeights):
        WeightsFile(*cut_into_parts(tmp_path / "w", [10]))


def test_missing_and_empty_parts_are_unreadable(tmp_path):
    write(tmp_path / "w", {"x": np.ones((8, 8), np.float32)})
    parts = cut_into_parts(tmp_path / "w", [50, 100])

    for damage in (lambda: parts[1].write_bytes(b""), parts[1].unlink):
        damage()
        with pytest.raises(UnreadableWeights):
            WeightsFile(*parts)
