import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from model_runtime.errors import ConversionError
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import WEIGHTS, ModelBundle
from model_runtime.models.families.neox import NEOX
from model_runtime.models.positions import Alibi, Rope
from model_runtime.models.weights import SCALE_SUFFIX, WeightsFile
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.template import Slot
from model_runtime.prompt.tokenizer import with_sentinels
from tests.model_runtime.conftest import DATA
from tests.support.random_models import VARIANTS, make_source
from tests.support.random_neox import Variant, config, write_folder
from tests.support.requirements import required_module

SMALL = Variant(layers=1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Nothing is written outside of the test's folder."""
    monkeypatch.setattr(
        "model_runtime.importers.checkpoint.user_cache_path", lambda *_, **__: tmp_path
    )


def convert(source, quantization="float32", **options):
    target = source.with_name("bundle")
    report = convert_folder(source, target, name="m", quantization=quantization, **options)
    return ModelBundle.open(target), report


def edit_json(path, **changes):
    raw = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in raw.items() if value is not ...}))


def refused(source, match, **options):
    with pytest.raises(ConversionError, match=match) as caught:
        convert(source, **options)
    assert not source.with_name("bundle").exists()
    return str(caught.value)


# --- the architecture -------------------------------------------------------------------------


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(("rotary", "base"), [(0.25, 10000.0), (1.0, 500.0)])
def test_both_spellings_of_the_rotary_settings_are_read(tmp_path, old, rotary, base):
    variant = replace(SMALL, rotary=rotary, rotary_base=base, old_spelling=old)
    bundle, _ = convert(make_source(tmp_path / "source", variant))

    assert Rope(dim=int(rotary * 16), base=base) == bundle.manifest.decoder.positions


def test_spellings_that_agree_are_fine_and_that_differ_are_refused(tmp_path):
    source = make_source(tmp_path / "source", SMALL)
    edit_json(source / "config.json", rotary_pct=0.25, rotary_emb_base=10000)
    bundle, _ = convert(source)
    assert bundle.manifest.decoder.positions.dim == 4

    edit_json(source / "config.json", rotary_pct=1.0)
    with pytest.raises(ConversionError, match=r"rotary fraction in two spellings .*0.25, 1.0"):
        convert(source)
    edit_json(source / "config.json", rotary_pct=..., rope_theta=500)
    with pytest.raises(ConversionError, match="rotary base in two spellings"):
        convert(source)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"model_type": "mamba"},
            "model_type is 'mamba' .*llama-server or vLLM, or add one of these types: ",
        ),
        ({"rope_parameters": {"rope_type": "longrope"}}, "rotary scaling 'longrope'"),
        ({"rope_scaling": {"type": "linear"}, "rope_parameters": ...}, "'factor' is missing"),
        ({"rope_parameters": []}, "gives the|is no JSON object|lacks"),
        ({"hidden_act": "mish"}, "activation 'mish'"),
        ({"hidden_size": "wide"}, "impossible value"),
        ({"num_hidden_layers": ...}, "num_hidden_layers.* is missing"),
        ({"num_attention_heads": 3}, "no multiple of heads"),
        ({"num_attention_heads": 0}, "at least 1"),
        ({"tie_word_embeddings": "yes"}, "impossible value"),
        ({"position_embedding_type": "learned"}, "'learned'"),
        ({"vocab_size": 500}, "has the shape"),
        ({"vocab_size": 300}, "tokenizer.json has .* ids and the model only 300"),
        ({"num_hidden_layers": 2}, r"lacks tensors.* and \d+ more"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(tmp_path, changes, match):
    source = make_source(tmp_path / "source", SMALL)
    edit_json(source / "config.json", **changes)
    if changes == {"rope_parameters": []}:  # falsy, so as if it were not there
        convert(source)
    else:
        refused(source, match)


@pytest.mark.parametrize("where", ["config", "arm", "position_embedding"])
def test_alibi_is_taken_from_our_own_settings(tmp_path, where):
    source = make_source(tmp_path / "source", replace(SMALL, alibi=where == "config"))
    if where != "config":
        edit_json(source / "fim_config.json", **{where: "alibi"})
    bundle, report = convert(source)

    assert Alibi() == bundle.manifest.decoder.positions
    assert "alibi" == report.position_embedding


# --- the weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_float_weights_pass_through_unchanged(tmp_path, name):
    source = make_source(tmp_path / "source", VARIANTS[name])
    bundle, report = convert(source)

    original = WeightsFile(source / "model.safetensors")
    weights, decoder = bundle.weights(), bundle.manifest.decoder
    for key, recipe in NEOX.tensors(decoder).items():
        if key in weights and not key.endswith(("qkv.weight", "qkv.bias")):
            assert np.array_equal(original.float32(recipe.sources[0]), weights[key])
    stored = original.float32("gpt_neox.layers.1.attention.query_key_value.weight")
    by_head = stored.reshape(decoder.heads, 3, decoder.head_dim, -1)
    qkv = weights["layers.1.attention.qkv.weight"].reshape(3, decoder.heads, decoder.head_dim, -1)
    assert np.array_equal(by_head.swapaxes(0, 1), qkv)
    assert report.parameters == sum(values.size for values in weights.values())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_in_shards_is_widened(tmp_path, dtype):
    variant = replace(SMALL, dtype=dtype, shards=3)
    bundle, _ = convert(make_source(tmp_path / "source", variant))
    plain, _ = convert(make_source(tmp_path / "plain" / "source", SMALL))

    for key, values in plain.weights().items():
        assert np.allclose(values, bundle.weights()[key], rtol=2**-8, atol=1e-6)


def test_int8_bundles_hold_one_scale_per_row_and_a_quarter_of_the_bytes(tmp_path):
    source = make_source(tmp_path / "source", Variant(hidden=256))
    bundle, report = convert(source, "int8")

    layout = WeightsFile(bundle.path / WEIGHTS).layout
    assert ("I8", (768, 256)) == layout["layers.0.attention.qkv.weight"]
    assert ("F32", (512,)) == layout["embedding.weight" + SCALE_SUFFIX]
    assert report.bundle_bytes < report.source_bytes * 0.27


def test_the_head_may_be_called_lm_head(tmp_path):
    from safetensors.numpy import load_file, save_file

    source = make_source(tmp_path / "source", SMALL)
    expected = convert(source)[0].weights()["head.weight"].copy()
    tensors = load_file(source / "model.safetensors")
    tensors["lm_head.weight"] = tensors.pop("embed_out.weight")
    save_file(tensors, source / "model.safetensors")

    assert np.array_equal(expected, convert(source)[0].weights()["head.weight"])


def test_missing_attention_biases_are_zeros_and_old_masks_are_left_out(tmp_path):
    from safetensors.numpy import load_file, save_file

    source = make_source(tmp_path / "source", SMALL)
    tensors = load_file(source / "model.safetensors")
    del tensors["gpt_neox.layers.0.attention.dense.bias"]
    tensors["gpt_neox.layers.0.attention.bias"] = np.ones((1, 1, 8, 8), bool)
    tensors["gpt_neox.layers.0.attention.rotary_emb.inv_freq"] = np.ones(2, np.float32)
    save_file(tensors, source / "model.safetensors")

    weights = convert(source)[0].weights()
    assert not weights["layers.0.attention.out.bias"].any()
    assert not any("inv_freq" in name for name in weights)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        (
            "gpt_neox.layers.0.attention.q_norm.weight",
            np.ones(4, "f4"),
            "no gpt_neox model with its settings has",
        ),
        ("gpt_neox.final_layer_norm.bias", np.full(64, np.nan, "f4"), "holds NaN"),
        ("gpt_neox.final_layer_norm.bias", np.ones(64, "i4"), "unsupported type I32"),
        ("gpt_neox.final_layer_norm.bias", np.ones(65, "f4"), r"has the shape \(65,\)"),
    ],
)
def test_tensors_that_make_no_model_are_refused(tmp_path, name, value, match):
    from safetensors.numpy import load_file, save_file

    source = make_source(tmp_path / "source", SMALL)
    tensors = load_file(source / "model.safetensors")
    save_file({**tensors, name: value}, source / "model.safetensors")
    refused(source, match)


@pytest.mark.parametrize("method", ["gptq", "awq", "bitsandbytes", "fp8", "compressed-tensors"])
def test_weights_that_others_have_quantized_are_refused_with_the_remedy(tmp_path, method):
    source = make_source(tmp_path / "source", SMALL)
    edit_json(source / "config.json", quantization_config={"quant_method": method})
    told = refused(source, f"quantized by '{method}'")
    assert "the repository that they were made from, or a GGUF file of it" in told


@pytest.mark.parametrize(
    ("name", "named"), [("quantize_config.json", "'gptq'"), ("quant_config.json", "'awq'")]
)
def test_older_files_beside_quantized_weights_say_it_too(tmp_path, name, named):
    source = make_source(tmp_path / "source", SMALL)
    (source / name).write_text("{}")
    refused(source, f"quantized by {named}")


def test_an_adapter_is_no_model_and_is_named_as_what_it_is(tmp_path):
    source = make_source(tmp_path / "source", SMALL)
    (source / "config.json").rename(source / "adapter_config.json")
    refused(source, "a LoRA adapter.*merge it into its model")


@pytest.mark.parametrize("model_type", ["qwen3_moe", "mamba2", "bert", "flux"])
def test_another_kind_of_model_is_named_with_the_remedy(tmp_path, model_type):
    source = make_source(tmp_path / "source", SMALL)
    edit_json(source / "config.json", model_type=model_type)
    refused(source, f"model_type is '{model_type}'.*server")


def test_truncated_weights_are_refused_with_the_remedy(tmp_path):
    source = make_source(tmp_path / "source", SMALL)
    path = source / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    assert "fetch them again" in refused(source, "cannot be read")


@pytest.mark.parametrize(
    ("weight_map", "match"),
    [
        ({"a": "model-2.safetensors"}, "model-2.safetensors is missing"),
        ({"a": "../model.safetensors"}, "outside of its folder"),
        ({}, "no weight_map"),
    ],
)
def test_an_index_that_leads_nowhere_is_refused(tmp_path, weight_map, match):
    source = make_source(tmp_path / "source", SMALL)
    index = source / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    refused(source, match)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    source = make_source(tmp_path / "source", SMALL)
    (source / name).unlink()
    refused(source, name)


def test_a_failed_conversion_leaves_the_earlier_bundle_alone(tmp_path):
    source = make_source(tmp_path / "source", SMALL)
    bundle, _ = convert(source)
    (source / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConversionError):
        convert(source)

    ModelBundle.open(bundle.path).verify_weights()
    assert ["bundle", "source"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_target_that_cannot_be_written_is_named(tmp_path):
    source = make_source(tmp_path / "source", SMALL)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConversionError, match=r"cannot write .*file"):
        convert_folder(source, tmp_path / "file" / "bundle", name="m")


# --- pickles ----------------------------------------------------------------------------------


def make_pickled(tmp_path, *, dtype="float32", shards=1):
    """A folder as older models have it: .bin files only."""
    torch = required_module("torch")
    source = make_source(tmp_path / "source", SMALL)
    plain = WeightsFile(source / "model.safetensors")
    tensors = {
        name: torch.from_numpy(plain.float32(name)).to(getattr(torch, dtype))
        for name in plain.layout
    }
    tensors["gpt_neox.layers.0.attention.bias"] = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    (source / "model.safetensors").unlink()
    names = list(tensors)
    if shards == 1:
        torch.save(tensors, source / "pytorch_model.bin")
        return source
    weight_map = {}
    for number in range(shards):
        file = f"pytorch_model-{number}.bin"
        part = names[number::shards]
        torch.save({name: tensors[name] for name in part}, source / file)
        weight_map |= dict.fromkeys(part, file)
    index = source / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    return source


@pytest.mark.parametrize(("dtype", "shards"), [("float32", 1), ("bfloat16", 2), ("float16", 1)])
def test_pickled_weights_are_read_by_the_safe_loader(tmp_path, dtype, shards):
    source = make_pickled(tmp_path, dtype=dtype, shards=shards)
    bundle, _ = convert(source)
    plain, _ = convert(make_source(tmp_path / "plain" / "source", SMALL))

    for key, values in plain.weights().items():
        assert np.allclose(values, bundle.weights()[key], rtol=2**-8, atol=1e-6)
    assert not list(tmp_path.glob(".*"))


class Malicious:
    """Unpickling this runs a command."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_pickle_that_would_run_code_is_not_opened(tmp_path, wrapped):
    torch = required_module("torch")
    source = make_pickled(tmp_path)
    content = {"gpt_neox.embed_in.weight": Malicious(tmp_path / "harm")}
    if wrapped:
        torch.save(content, source / "pytorch_model.bin")
    else:
        (source / "pytorch_model.bin").write_bytes(pickle.dumps(content))
    refused(source, "holds more than tensors, and is not opened")
    assert not (tmp_path / "harm").exists()


def test_pickled_weights_without_torch_say_what_to_install(tmp_path, monkeypatch):
    source = make_source(tmp_path / "source", SMALL)
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install 'fim-lsp[torch]'" in refused(source, "safe loader")


def test_converting_imports_neither_torch_nor_transformers(tmp_path):
    source = make_source(tmp_path / "source", SMALL)
    code = (
        "import sys; from pathlib import Path; from model_runtime.importers.huggingface import convert_folder; "
        "sys.modules['torch'] = sys.modules['transformers'] = None; "
        f"convert_folder(Path({str(source)!r}), Path({str(tmp_path / 'b')!r}), name='m')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- how to prompt it -------------------------------------------------------------------------


def test_the_trainings_own_settings_are_used(tmp_path):
    source = make_source(tmp_path / "source", SMALL)
    edit_json(
        source / "fim_config.json", order="psm", context=300, license="MIT", training={"steps": 7}
    )
    bundle, report = convert(source)

    manifest = bundle.manifest
    assert (Order.PSM, 300, "MIT", {"steps": 7}) == (
        manifest.prompt.order,
        manifest.context_length,
        manifest.license,
        manifest.training,
    )
    tokens = FimTokens(end=0, suffix=1, prefix=2, middle=3, pad=4, file=5)
    assert PromptFormat.of_order(Order.PSM, tokens) == manifest.prompt
    assert report.order_source == "fim_config.json"


def test_a_block_in_the_tokenizers_settings_does_as_well_and_may_give_ids(tmp_path):
    source = make_source(tmp_path / "source", SMALL, fim=False)
    fim = {
        "format_version": 1,
        "order": "spm2",
        "tokens": {"end": 0, "suffix": "<|SUF|>", "prefix": 2, "middle": "<|MID|>"},
    }
    (source / "tokenizer_config.json").write_text(json.dumps({"fim": fim}))
    bundle, report = convert(source)

    tokens = FimTokens(end=0, suffix=1, prefix=2, middle=3)
    assert PromptFormat.of_order(Order.SPM2, tokens) == bundle.manifest.prompt
    assert "tokenizer_config.json" == report.order_source
    assert 512 == bundle.manifest.context_length  # of config.json


def test_arguments_come_before_the_folders_own_settings(tmp_path):
    source = make_source(tmp_path / "source", SMALL)
    bundle, report = convert(source, order="psm", context_length=200, license="BSD")

    manifest = bundle.manifest
    found = (manifest.prompt.order, manifest.context_length, manifest.license)
    assert (Order.PSM, 200, "BSD") == found
    assert "the caller" == report.order_source


def test_a_folder_that_does_not_say_its_order_is_refused(tmp_path):
    """However it is called."""
    source = make_source(tmp_path / "FIM-NeoX-1.3B", SMALL, fim=False)
    assert "spm1, spm2, psm" in refused(source, "give it with --order")


def test_an_order_is_enough_where_the_tokenizer_has_the_usual_sentinels(tmp_path):
    bundle, _ = convert(make_source(tmp_path / "source", SMALL, fim=False), order=Order.SPM1)

    tokens = FimTokens(end=0, suffix=1, prefix=2, middle=3)
    assert PromptFormat.of_order(Order.SPM1, tokens) == bundle.manifest.prompt


PREFIX_AND_SUFFIX = ["<|SUF|>", {"slot": "suffix"}, "<|PRE|>", {"slot": "prefix"}]


def test_a_whole_format_may_be_stated_by_the_texts_of_tokens(tmp_path):
    source = make_source(tmp_path / "source", SMALL, fim=False)
    prompt = {"template": PREFIX_AND_SUFFIX, "end": "<|endoftext|>", "stop_strings": ["\n+++"]}
    stated = {"format_version": 1, "prompt": prompt | {"hole_start": "line"}}
    (source / "fim_config.json").write_text(json.dumps(stated))
    bundle, report = convert(source)

    found = bundle.manifest.prompt
    assert (1, Slot.SUFFIX, 2, Slot.PREFIX) == found.template
    assert ({0, 1, 2}, ("\n+++",)) == (found.stop_ids, found.stop_strings)
    assert ("fim_config.json", HoleStart.LINE) == (report.order_source, report.hole_start)
    assert bundle.manifest == ModelBundle.open(bundle.path).manifest


@pytest.mark.parametrize(
    ("prompt", "match"),
    [
        ({"template": PREFIX_AND_SUFFIX[:2], "end": 0}, "one place for the prefix, not 0; write"),
        ({"template": PREFIX_AND_SUFFIX, "end": "<|SUF|>"}, "share one id"),
        ({"template": PREFIX_AND_SUFFIX, "end": "<eos>"}, "no token of the tokenizer"),
        ({"template": PREFIX_AND_SUFFIX, "end": 0, "bos": 9}, "id 9 is .* not a special token"),
        ({"template": PREFIX_AND_SUFFIX, "end": 0, "bos": 9999}, "id 9999 is None"),
        ([], "must be an object"),
    ],
)
def test_a_format_that_cannot_be_is_refused(tmp_path, prompt, match):
    source = make_source(tmp_path / "source", SMALL, fim=False)
    stated = {"format_version": 1, "prompt": prompt}
    (source / "fim_config.json").write_text(json.dumps(stated))

    refused(source, match)


def test_a_published_format_needs_the_tokens_that_it_is_written_with(tmp_path):
    source = make_source(tmp_path / "source", SMALL, fim=False)
    with pytest.raises(ConversionError, match="'<fim_prefix>', which is no token"):
        convert(source, prompt_format="granite-code")
    text = (source / "tokenizer.json").read_text()
    for old, new in (("PRE", "prefix"), ("SUF", "suffix"), ("MID", "middle")):
        text = text.replace(f"<|{old}|>", f"<fim_{new}>")
    (source / "tokenizer.json").write_text(text)
    bundle, report = convert(source, prompt_format="granite-code")

    assert ("psm", "the caller") == (report.order, report.order_source)
    assert {"suffix": 1, "prefix": 2, "middle": 3} == bundle.manifest.prompt.roles


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"order": "zigzag"}, "'zigzag' is not one of"),
        ({"format_version": 2}, "format_version 2 is not 1"),
        ({"tokens": {"end": 0, "suffix": 1, "prefix": 2}}, "no sentinel is given for middle"),
        ({"tokens": {"end": 0, "suffix": 1, "prefix": 2, "middle": 2}}, "share one id"),
        ({"tokens": {"end": 0, "suffix": 1, "prefix": 2, "middle": 9}}, "not a special token"),
        ({"tokens": {"end": 0, "suffix": 1, "prefix": 2, "middle": "<M>"}}, "no token of"),
        ({"tokens": {"end": 0, "suffix": 1, "prefix": 2, "middel": 3}}, "unknown sentinel roles"),
        ({"tokens": [0, 1, 2, 3]}, "no mapping"),
        ({"context": "long"}, "no number of tokens"),
        ({"context": 4096}, "exceeds the model's 512 positions"),
    ],
)
def test_settings_that_cannot_be_prompted_are_refused(tmp_path, changes, match):
    source = make_source(tmp_path / "source", SMALL)
    edit_json(source / "fim_config.json", **changes)
    refused(source, match)


def test_the_seeds_tokenizer_is_known_by_its_sentinels(tmp_path):
    """A folder shaped as CarperAI/FIM-NeoX-1.3B states no order; its tokenizer is unmistakable."""
    variant = Variant(layers=1, hidden=16, heads=2, vocab=50280)
    write_folder(tmp_path / "source", variant)
    with_sentinels(DATA / "20B_tokenizer.json").save(tmp_path / "source" / "tokenizer.json")
    bundle, report = convert(tmp_path / "source", "int8")

    tokens = FimTokens(end=0, suffix=50277, prefix=50278, middle=50279)
    assert PromptFormat.of_order(Order.SPM1, tokens) == bundle.manifest.prompt
    assert "seed's sentinels" in report.order_source
    assert 50277 == bundle.manifest.canary.ids[0]


def test_sentinels_that_are_not_marked_special_become_so(tmp_path):
    """Else text that spells one would become one."""
    source = make_source(tmp_path / "source", SMALL)
    raw = json.loads((source / "tokenizer.json").read_text())
    for entry in raw["added_tokens"]:
        entry["special"] = entry["content"] != "<|MID|>"
    (source / "tokenizer.json").write_text(json.dumps(raw))
    bundle, report = convert(source)

    assert any("<|MID|>" in note for note in report.notes)
    assert 3 not in bundle.tokenizer.encode("a <|MID|> b")


def test_a_readme_becomes_the_model_card(tmp_path):
    source = make_source(tmp_path / "source", SMALL)
    (source / "README.md").write_text("# Mine\n")

    assert "# Mine\n" == (convert(source)[0].path / "MODEL_CARD.md").read_text()


def test_progress_is_told(tmp_path):
    said = []
    convert(make_source(tmp_path / "source", SMALL), progress=said.append)

    assert len(said) >= 3


def test_the_generator_writes_what_its_variant_says():
    assert 500.0 == config(replace(SMALL, rotary_base=500.0))["rope_parameters"]["rope_theta"]
