"""An output matrix that is the embedding again is kept once; another one is never taken for it."""

from dataclasses import replace

import numpy as np
import pytest
from gguf import GGMLQuantizationType, dequantize, quantize

from model_runtime.importers.gguf import convert_gguf
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, HEAD
from model_runtime.models.weights import dequantise_rows, quantise_rows
from tests.model_runtime.importers.test_gguf import made
from tests.support.gguf_files import write_gguf
from tests.support.random_models import make_source
from tests.support.random_neox import Variant, train_tokenizer
from tests.support.requirements import required_module

torch = required_module("torch")

TABLE, OUTPUT = "model.embed_tokens.weight", "lm_head.weight"


def convert(tmp_path, types, changed_rows=0):
    """A GGUF file with one matrix as embedding and output matrix, and the bundle of it."""
    model = made("Qwen2", {})
    matrix = torch.randn(512, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(matrix)
        matrix[:changed_rows] = torch.randn(changed_rows, 64)
        model.lm_head.weight.copy_(matrix)
    train_tokenizer(tmp_path / "tokenizer.json", 400)
    path, tokenizer = tmp_path / "model.gguf", tmp_path / "tokenizer.json"
    source = write_gguf(
        path, model, tokenizer, types=dict(zip((TABLE, OUTPUT), types, strict=True))
    )
    report = convert_gguf(source, tmp_path / "bundle", name="m", order="psm")
    return ModelBundle.open(tmp_path / "bundle"), report, matrix.numpy()


@pytest.mark.parametrize(
    ("types", "kept", "told"),
    [
        (("Q5_0", "Q8_0"), "Q8_0", "output matrix is kept"),
        (("Q8_0", "Q4_0"), "Q8_0", "embedding is kept"),
        (("F16", "Q8_0"), "F16", "embedding is kept"),
        (("F32", "F32"), "F32", "embedding is kept"),
    ],
)
def test_two_quantizations_of_one_matrix_become_the_finer_one(tmp_path, types, kept, told):
    bundle, report, matrix = convert(tmp_path, types)

    kind = GGMLQuantizationType[kept]
    expected = dequantise_rows(*quantise_rows(dequantize(quantize(matrix, kind), kind)))
    assert bundle.manifest.decoder.tied
    np.testing.assert_array_equal(expected, bundle.weights()[EMBEDDING])
    assert HEAD not in bundle.weights()
    assert [note for note in report.notes if told in note]


@pytest.mark.parametrize("types", [("Q4_0", "Q8_0"), ("F32", "F32")])
@pytest.mark.parametrize("changed_rows", [1, 512])
def test_a_matrix_with_rows_of_its_own_is_another_one(tmp_path, types, changed_rows):
    bundle, report, matrix = convert(tmp_path, types, changed_rows)

    assert not bundle.manifest.decoder.tied
    assert np.abs(bundle.weights()[HEAD] - matrix).max() < 0.05
    assert not [note for note in report.notes if "kept for both" in note]


@pytest.mark.parametrize(("off", "is_tied"), [(0.0, True), (0.001, True), (0.02, False)])
def test_two_copies_in_a_checkpoint_are_one_where_they_differ_by_rounding(tmp_path, off, is_tied):
    from safetensors.numpy import load_file, save_file

    source = make_source(tmp_path / "source", replace(Variant(layers=1), tied=False))
    tensors = load_file(source / "model.safetensors")
    table = tensors["gpt_neox.embed_in.weight"]
    tensors["embed_out.weight"] = table * np.float32(1 + off)
    save_file(tensors, source / "model.safetensors")

    convert_folder(source, tmp_path / "bundle", name="m")

    assert is_tied is ModelBundle.open(tmp_path / "bundle").manifest.decoder.tied
