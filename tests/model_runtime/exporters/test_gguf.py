"""`fim-runtime models export`: what a GGUF file holds, and when none is written."""

import json
import shutil

import numpy as np
import pytest
from gguf import GGUFReader, TokenType, dequantize

from model_runtime.cli import main
from model_runtime.errors import GgufError
from model_runtime.exporters.gguf import export_gguf
from model_runtime.exporters.gguf_vocabulary import gguf_vocabulary
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import ModelBundle
from model_runtime.store import installed
from tests.support.random_models import DECODERS, make_bundle, make_source
from tests.support.random_neox import Variant, fim_config, train_tokenizer


def fields_of(path):
    return {name: field.contents() for name, field in GGUFReader(path).fields.items()}


def tensors_of(path):
    """Name -> (type, values), dequantised."""
    return {
        tensor.name: (tensor.tensor_type.name, dequantize(tensor.data, tensor.tensor_type))
        for tensor in GGUFReader(path).tensors
    }


@pytest.fixture(scope="module")
def random(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("random"), Variant(sequential=True, tied=True))


def test_the_file_says_how_the_network_is_built(tmp_path):
    variant = Variant(rotary=0.5, rotary_base=500.0, sequential=True, positions=256)
    export_gguf(make_bundle(tmp_path, variant), tmp_path / "model.gguf", "f32")
    told = fields_of(tmp_path / "model.gguf")

    assert "gptneox" == told["general.architecture"]
    assert {
        "block_count": 2,
        "context_length": 256,
        "embedding_length": 64,
        "feed_forward_length": 256,
        "attention.head_count": 4,
        "rope.dimension_count": 8,
        "rope.freq_base": 500.0,
        "use_parallel_residual": False,
    }.items() <= {name.removeprefix("gptneox."): value for name, value in told.items()}.items()
    assert 1e-5 == pytest.approx(told["gptneox.attention.layer_norm_epsilon"])


def test_the_file_has_the_sentinels_and_says_how_to_prompt(tmp_path):
    export_gguf(installed.find("default"), tmp_path / "model.gguf", "q8_0")
    told = fields_of(tmp_path / "model.gguf")

    assert {
        "bos_token_id": 0,
        "eos_token_id": 0,
        "eot_token_id": 0,
        "padding_token_id": 4,
        "fim_suf_token_id": 1,
        "fim_pre_token_id": 2,
        "fim_mid_token_id": 3,
        "fim_pad_token_id": 4,
        "add_bos_token": False,
        "add_space_prefix": False,
    }.items() <= {
        name.removeprefix("tokenizer.ggml."): value for name, value in told.items()
    }.items()
    assert "tokenizer.ggml.fim_sep_token_id" not in told  # /infill would misplace it
    assert "spm1" == told["fim_lsp.order"]
    assert "<|SUF|>AFTER<|PRE|>BEFORE<|MID|>" in told["general.description"]
    assert "with --spm-infill" in told["general.description"]


def test_rows_without_a_token_get_an_unused_one(random, tmp_path):
    export_gguf(random, tmp_path / "model.gguf", "f32")
    told = fields_of(tmp_path / "model.gguf")
    tokens, types = told["tokenizer.ggml.tokens"], told["tokenizer.ggml.token_type"]

    assert 512 == len(tokens) == len(set(tokens))
    assert [TokenType.CONTROL] * 6 == types[:6]
    assert {TokenType.UNUSED} == set(types[random.tokenizer.size :])
    assert len(told["tokenizer.ggml.merges"]) > 50


@pytest.mark.parametrize(
    ("type_", "stored", "tolerance"),
    [("f32", "F32", 0), ("f16", "F16", 5e-3), ("q8_0", "Q8_0", 2e-2), ("q4_0", "Q4_0", 0.4)],
)
def test_matrices_are_stored_as_asked_and_vectors_as_float32(
    random, tmp_path, type_, stored, tolerance
):
    export_gguf(random, tmp_path / "model.gguf", type_)
    tensors, weights = tensors_of(tmp_path / "model.gguf"), random.weights()

    up = weights["layers.1.mlp.up.weight"]
    assert stored == tensors["blk.1.ffn_up.weight"][0]
    np.testing.assert_allclose(tensors["blk.1.ffn_up.weight"][1], up, atol=tolerance * up.std())
    norm = weights["final_norm.bias"]
    assert "F32" == tensors["output_norm.bias"][0]
    np.testing.assert_array_equal(tensors["output_norm.bias"][1], norm)


def test_a_tied_output_matrix_is_written_out_for_llama_cpp_asks_for_it(random, tmp_path):
    export_gguf(random, tmp_path / "model.gguf", "f32")
    tensors = tensors_of(tmp_path / "model.gguf")

    np.testing.assert_array_equal(tensors["token_embd.weight"][1], tensors["output.weight"][1])


def test_a_width_that_has_no_whole_blocks_stays_float16(tmp_path):
    bundle = make_bundle(tmp_path, Variant(hidden=48, heads=3, rotary=0.5, intermediate=64))
    export_gguf(bundle, tmp_path / "model.gguf", "q8_0")
    types = {name: type_ for name, (type_, _) in tensors_of(tmp_path / "model.gguf").items()}

    assert "F16" == types["blk.0.ffn_up.weight"]
    assert "Q8_0" == types["blk.0.ffn_down.weight"]


@pytest.mark.parametrize(
    ("variant", "told"),
    [
        (Variant(alibi=True), "gptneox does not compute ALiBi, which random needs"),
        (Variant(activation="relu"), "does not compute ReLU"),
        (DECODERS["windows"], "does not compute .*sliding windows"),
    ],
)
def test_what_llama_cpp_cannot_run_is_refused(tmp_path, variant, told):
    with pytest.raises(GgufError, match=told):
        export_gguf(make_bundle(tmp_path, variant), tmp_path / "model.gguf")
    assert not list(tmp_path.glob("*.gguf"))


def test_other_tokenizers_than_byte_level_bpe_are_refused(tmp_path):
    train_tokenizer(tmp_path / "tokenizer.json", 300)
    raw = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps({**raw, "pre_tokenizer": None}))

    with pytest.raises(GgufError, match="no byte-level BPE"):
        gguf_vocabulary(tmp_path / "tokenizer.json", 300)


def test_the_pre_tokenizer_is_the_one_that_gives_the_same_ids(seed_tokenizer, tmp_path):
    seed_tokenizer.save(tmp_path / "tokenizer.json")
    seed = gguf_vocabulary(tmp_path / "tokenizer.json", 50432)
    own = gguf_vocabulary(installed.default_folder() / "tokenizer.json", 8192)

    assert ("gpt-2", 1.0) == (seed.pre_tokenizer, seed.agreement)
    assert TokenType.USER_DEFINED == seed.types[50276]  # runs of spaces, not special
    assert "superbpe" == own.pre_tokenizer
    assert 0.98 < own.agreement < 1


def test_the_command_writes_the_file_and_says_how_to_use_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert 0 == main(["models", "export", "default", "--gguf"])

    told = capsys.readouterr().err
    assert "GGUF" == (tmp_path / "default-q8_0.gguf").read_bytes()[:4].decode()
    assert "use it: llama-server --model default-q8_0.gguf --spm-infill\n" in told
    assert "superbpe" in told


def test_psm_needs_no_flag(tmp_path, capsys):
    source = make_source(tmp_path / "source", Variant())
    (source / "fim_config.json").write_text(json.dumps({**fim_config(512), "order": "psm"}))
    convert_folder(source, tmp_path / "bundle", name="psm")
    report = export_gguf(ModelBundle.open(tmp_path / "bundle"), tmp_path / "model.gguf")

    assert f"llama-server --model {tmp_path / 'model.gguf'}" == report.command


def test_a_place_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    target = tmp_path / "file" / "model.gguf"

    assert 1 == main(["models", "export", "default", "--gguf", "--out", str(target)])
    assert f"cannot write {target}" in capsys.readouterr().err
    assert ["file"] == [path.name for path in tmp_path.iterdir()]


def test_damaged_weights_leave_no_half_file(tmp_path, capsys):
    folder = shutil.copytree(installed.default_folder(), tmp_path / "model")
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.safetensors").write_bytes(content)

    assert 1 == main(["models", "export", str(folder), "--gguf", "--out", str(tmp_path / "m")])
    assert "is damaged" in capsys.readouterr().err
    assert ["model"] == [path.name for path in tmp_path.iterdir()]


def test_an_earlier_file_is_replaced(random, tmp_path):
    target = tmp_path / "model.gguf"
    target.write_text("earlier")
    export_gguf(random, target, "q4_0")

    assert ["model.gguf"] == [path.name for path in tmp_path.iterdir()]
    assert 2 == fields_of(target)["general.file_type"]
