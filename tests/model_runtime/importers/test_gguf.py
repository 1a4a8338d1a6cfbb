"""Models that are added from GGUF files compute what they did before they were converted."""

import json
import math

import numpy as np
import pytest

from model_runtime.errors import ConversionError, GgufError
from model_runtime.exporters.gguf import export_gguf
from model_runtime.importers.gguf import convert_gguf
from model_runtime.importers.gguf_file import GgufFile
from model_runtime.importers.huggingface import Examined
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.positions import LinearScaling
from model_runtime.prompt.format import HoleStart
from tests.support.gguf_files import write_gguf
from tests.support.oracle import Oracle
from tests.support.random_models import make_bundle
from tests.support.random_neox import Variant, train_tokenizer
from tests.support.requirements import required_module

torch = required_module("torch")
transformers = required_module("transformers")

SMALL = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "attn_implementation": "eager",
}
CASES = {
    "llama": ("Llama", {}),
    "llama, wide heads, tied": ("Llama", {"head_dim": 32, "tie_word_embeddings": True}),
    "qwen2": ("Qwen2", {}),
    "qwen2, tied": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"head_dim": 32}),
    "starcoder2": ("Starcoder2", {"tie_word_embeddings": True}),
    "starcoder2, a window": ("Starcoder2", {"sliding_window": 40, "use_bias": False}),
    "stablelm": ("StableLm", {"use_qkv_bias": True}),
    "stablelm, parallel": ("StableLm", {"use_parallel_residual": True, "layer_norm_eps": 1e-3}),
    "granite": (
        "Granite",
        {
            "embedding_multiplier": 12.0,
            "attention_multiplier": 0.0625,
            "residual_multiplier": 0.25,
            "logits_scaling": 4.0,
            "tie_word_embeddings": True,
        },
    ),
    "gemma": ("Gemma", {"head_dim": 32, "tie_word_embeddings": True}),
    "gemma2": (
        "Gemma2",
        {
            "head_dim": 32,
            "sliding_window": 40,
            "query_pre_attn_scalar": 32,
            "tie_word_embeddings": True,
        },
    ),
}
PROMPT = {
    "template": [1, {"slot": "suffix"}, 2, {"slot": "prefix"}, 3],
    "end": 0,
    "hole_start": "line",
}


def made(name, changes):
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**SMALL | changes)
    model = getattr(transformers, f"{name}ForCausalLM")(config).float().eval()
    with torch.no_grad():
        for values in model.parameters():
            values.add_(torch.randn_like(values), alpha=0.1)
    return model


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    train_tokenizer(path, 400)
    return path


@pytest.fixture
def qwen(tmp_path, tokenizer):
    """A function that writes a small Qwen2 with other keys."""
    model = made("Qwen2", {})

    def write(**changes):
        return write_gguf(tmp_path / "model.gguf", model, tokenizer, **changes)

    return write


@pytest.mark.parametrize(("type_", "within"), [("F32", 1e-4), ("F16", 2e-2), ("Q8_0", 0.1)])
@pytest.mark.parametrize("case", CASES)
def test_a_model_has_the_logits_that_transformers_computes(
    tmp_path, tokenizer, case, type_, within
):
    model = made(*CASES[case])
    ids = np.random.default_rng(1).integers(6, 400, 100)
    with torch.no_grad():
        expected = model(torch.tensor(ids)[None]).logits[0].numpy()
    source = write_gguf(
        tmp_path / "model.gguf", model, tokenizer, type_=type_, fim_lsp__prompt=json.dumps(PROMPT)
    )

    convert_gguf(source, tmp_path / "bundle", name="m", quantization="float32")

    found = Oracle(ModelBundle.open(tmp_path / "bundle")).logits(ids)
    np.testing.assert_allclose(found, expected, atol=within * np.abs(expected).max())


def test_the_license_and_the_prompt_are_the_files(tmp_path, qwen):
    source = qwen(general__license="apache-2.0", fim_lsp__prompt=json.dumps(PROMPT))

    report = convert_gguf(source, tmp_path / "bundle", name="m")

    manifest = ModelBundle.open(tmp_path / "bundle").manifest
    assert ("Apache-2.0", 256) == (manifest.license, manifest.context_length)
    assert "line" == report.hole_start == manifest.prompt.hole_start


def test_nothing_is_guessed_of_the_prompt(tmp_path, qwen):
    with pytest.raises(ConversionError, match="--prompt-format"):
        convert_gguf(qwen(), tmp_path / "bundle", name="m")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"general__architecture": "clip"}, "a projector.*file with the language model"),
        ({"general__type": "mmproj"}, "a projector.*file with the language model"),
        ({"general__type": "adapter"}, "a LoRA adapter.*merge it into its model"),
        ({"general__architecture": "flux"}, "makes images or films.*completes code"),
        ({"general__architecture": "wan"}, "makes images or films.*completes code"),
        ({"general__architecture": "bert"}, "embeds texts and writes none.*completes code"),
        ({"general__architecture": "mamba2"}, "'mamba2'.*by llama-server or vLLM"),
        ({"general__architecture": "qwen3moe"}, "'qwen3moe'.*by llama-server or vLLM"),
        ({"qwen2__expert_count": 8}, "a mixture of 8 experts.*by llama-server or vLLM"),
        ({"general__architecture": None}, "architecture.*None"),
        ({"fim_lsp__prompt": "{"}, "fim_lsp.prompt.*get another file"),
        ({"qwen2__rope__scaling__type": "yarn"}, "'yarn'.*Hugging Face folder"),
        ({"split__count": 3}, "one of several parts.*--merge"),
        ({"qwen2__embedding_length": 32}, "has the shape .* calls for"),
        ({"qwen2__block_count": 3}, "blk.2.*has the shape None"),
        ({"tokenizer__ggml__pre": "unheard-of"}, "'unheard-of'"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path, qwen, changes, named):
    with pytest.raises((GgufError, ConversionError), match=named):
        source = qwen(**{"fim_lsp__prompt": json.dumps(PROMPT), **changes})
        convert_gguf(source, tmp_path / "b", name="m")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "variant",
    [Variant(), Variant(tied=True, sequential=True, rotary=1.0), Variant(rotary_base=500.0)],
)
def test_what_was_exported_is_read_again_as_the_same_model(tmp_path, variant):
    original = make_bundle(tmp_path, variant)
    export_gguf(original, tmp_path / "exported.gguf", "f32")

    convert_gguf(tmp_path / "exported.gguf", tmp_path / "again", name="m", quantization="float32")

    again = ModelBundle.open(tmp_path / "again")
    ours, theirs = original.manifest, again.manifest
    assert (ours.decoder, ours.prompt, ours.context_length) == (
        theirs.decoder,
        theirs.prompt,
        theirs.context_length,
    )
    for name, values in original.weights().items():
        np.testing.assert_array_equal(values, again.weights()[name])


def test_a_part_of_several_is_told_how_to_join_them(tmp_path, qwen):
    part = qwen(split__count=3).rename(tmp_path / "coder-00002-of-00003.gguf")

    with pytest.raises(GgufError, match=r"part 2 of 3.*--merge coder-00001-of-00003\.gguf"):
        GgufFile(part)


def test_linear_scaling_of_the_positions_is_read(tmp_path, qwen):
    scaled = {"qwen2__rope__scaling__type": "linear", "qwen2__rope__scaling__factor": 4.0}
    convert_gguf(qwen(**scaled), tmp_path / "bundle", name="m", order="psm")

    positions = ModelBundle.open(tmp_path / "bundle").manifest.decoder.positions
    assert LinearScaling(factor=4.0) == positions.scaling


def test_a_tensor_that_no_such_model_has_is_named_and_not_left_out(tmp_path, tokenizer):
    model = made("Llama", {"attention_bias": True})
    model.config.attention_bias = False
    for layer in model.model.layers:
        layer.self_attn.q_proj.bias = None
    source = write_gguf(tmp_path / "model.gguf", model, tokenizer)

    with pytest.raises(GgufError, match=r"no llama model here has: blk\.0\.attn_k\.bias"):
        convert_gguf(source, tmp_path / "bundle", name="m", order="psm")


@pytest.mark.parametrize("type_", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_blocks_of_a_file_take_no_more_bytes_than_8_bits_and_their_scales(tmp_path, qwen, type_):
    convert_gguf(qwen(type_=type_), tmp_path / "bundle", name="m", order="psm")

    bundle = ModelBundle.open(tmp_path / "bundle")
    shapes = bundle.manifest.decoder.tensor_shapes().values()
    numbers = sum(math.prod(shape) for shape in shapes if len(shape) > 1)
    scales = sum(shape[0] for shape in shapes if len(shape) > 1)
    vectors = sum(shape[0] for shape in shapes if len(shape) == 1)
    header = 120 * 2 * len(shapes)
    assert bundle.manifest.weights.size < numbers + 4 * (scales + vectors) + header


def test_a_file_that_is_cut_off_anywhere_is_one_sentence(qwen):
    path = qwen()
    whole = path.read_bytes()
    lengths = [*range(0, 200, 7), *np.linspace(200, len(whole) - 40, 60, dtype=int)]
    for length in lengths:
        path.write_bytes(whole[:length])
        with pytest.raises(GgufError, match=r"cut off or damaged|no GGUF file"):
            GgufFile(path)


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path, qwen, seed):
    """A few bytes of the metadata are others, as after a bad download."""
    path = qwen(fim_lsp__prompt=json.dumps(PROMPT))
    data, chance = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for place in chance.integers(0, 1500, 1 + seed % 4):
        data[place] = chance.integers(256)
    path.write_bytes(data)

    try:
        convert_gguf(path, tmp_path / "bundle", name="m")
    except (GgufError, ConversionError) as error:
        assert "\n" not in str(error)
        assert not (tmp_path / "bundle").exists()


def test_sentinels_that_keys_name_are_taken_without_a_known_order(tmp_path, qwen):
    """Nothing in the file says which order it is; the model decides later, among all three."""
    roles = {"pre": 2, "suf": 1, "mid": 3}
    keys = {f"tokenizer__ggml__fim_{role}_token_id": id_ for role, id_ in roles.items()}
    seen = []

    def examine(folder, fim):
        seen.append(fim)
        return Examined(fim.source, HoleStart.LINE)

    path = qwen(tokenizer__ggml__eos_token_id=0, **keys)
    convert_gguf(path, tmp_path / "bundle", name="m", examine=examine)

    (fim,) = seen
    assert ["spm1", "spm2", "psm"] == [one.name for one in fim.candidates]
    assert not fim.is_declared
    assert {"prefix": 2, "suffix": 1, "middle": 3} == fim.prompt.roles


def test_the_callers_order_is_taken_where_the_tokenizer_has_the_usual_sentinels(tmp_path, qwen):
    report = convert_gguf(qwen(), tmp_path / "bundle", name="m", order="psm")

    assert "psm" == report.order == ModelBundle.open(tmp_path / "bundle").manifest.prompt.name


@pytest.fixture
def granite(tmp_path, tokenizer):
    """A function that writes a small Granite with other keys."""
    model = made("Granite", {"residual_multiplier": 0.25})

    def write(**changes):
        prompt = json.dumps(PROMPT)
        return write_gguf(
            tmp_path / "model.gguf", model, tokenizer, fim_lsp__prompt=prompt, **changes
        )

    return write


def test_a_number_that_is_stated_for_each_layer_is_read(tmp_path, granite):
    """Files of Granite 4's dense models do so."""
    convert_gguf(granite(granite__attention__head_count_kv=[2, 2]), tmp_path / "bundle", name="m")

    assert 2 == ModelBundle.open(tmp_path / "bundle").manifest.decoder.kv_heads


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"granite__attention__head_count_kv": [2, 0]}, "layers of several kinds"),
        ({"granite__rope__scaling__finetuned": False}, "no rotary positions"),
    ],
)
def test_a_granite_that_is_a_hybrid_is_refused(tmp_path, granite, changes, named):
    with pytest.raises(GgufError, match=named):
        convert_gguf(granite(**changes), tmp_path / "bundle", name="m")
