import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from model_runtime.errors import BundleError
from model_runtime.models.bundle import (
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    ModelBundle,
    write_manifest,
)
from model_runtime.models.manifest import Manifest, signed
from model_runtime.models.positions import Rope
from model_runtime.models.weights import WeightsFile, dequantise_rows
from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.orders import Order
from model_runtime.store import installed
from tests.support.format_1 import format_1_manifest, make_format_1
from tests.support.random_models import VARIANTS, make_bundle


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path, VARIANTS["rotary quarter"], "int8")


def edit(bundle, **changes):
    """Change the manifest's JSON, as its owner may; None takes an entry out."""
    path = bundle.path / MANIFEST
    raw = json.loads(path.read_text()) | changes
    path.write_text(signed({key: value for key, value in raw.items() if value is not None}))


def refused(bundle, match):
    with pytest.raises(BundleError, match=match) as caught:
        ModelBundle.open(bundle.path)
    return str(caught.value)


def test_a_manifest_survives_its_json(bundle):
    assert bundle.manifest == Manifest.from_json(bundle.manifest.to_json())


def test_every_sentinel_stops_an_answer(bundle):
    assert frozenset(range(6)) == bundle.stop_ids


def test_weights_come_back_as_floats_under_their_canonical_names(bundle):
    weights = bundle.weights()

    assert set(bundle.manifest.decoder.tensor_shapes()) == set(weights)
    assert all(values.dtype == np.float32 for values in weights.values())
    assert bundle.manifest.parameters == sum(values.size for values in weights.values())


NUMBER = re.compile(r"(?<=[ \[])-?\d[\d.e-]*(?=[,\n])")


def test_a_changed_digit_anywhere_in_a_manifest_is_one_sentence(tmp_path):
    """Another number of heads would give other answers, and no error."""
    text = (installed.default_folder() / MANIFEST).read_text(encoding="utf-8")
    numbers = list(NUMBER.finditer(text))
    assert len(numbers) > 150
    for number in numbers:
        for place in range(*number.span()):
            if not text[place].isdigit() or text[place] == "0":
                continue
            changed = f"{text[:place]}{int(text[place]) % 9 + 1}{text[place + 1 :]}"
            if changed == text:
                continue
            with pytest.raises(BundleError, match=r"the manifest was changed|format_version"):
                Manifest.from_json(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw["decoder"].update(heads=2, kv_heads=2, head_dim=32),
        lambda raw: raw["decoder"]["positions"].update(dim=2),
        lambda raw: raw["decoder"].update(norm_epsilon=1e-3),
        lambda raw: raw.update(context_length=64),
        lambda raw: raw.update(license="another"),
        lambda raw: raw.update(content_sha256="0" * 64),
        lambda raw: raw.update(content_sha256=5),
        lambda raw: raw.update(content_sha256=None),
    ],
)
def test_a_change_by_hand_is_signed_by_its_owner(bundle, change):
    path = bundle.path / MANIFEST
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))

    assert "fim-runtime models sign" in refused(bundle, "the manifest was changed")
    installed.sign(str(bundle.path))
    assert raw["license"] == ModelBundle.open(bundle.path).manifest.license


def test_a_change_that_makes_no_model_is_not_signed(bundle):
    path = bundle.path / MANIFEST
    changed = json.dumps(json.loads(path.read_text()) | {"prompt": {"template": []}})
    path.write_text(changed)

    with pytest.raises(
        BundleError, match="prompt cannot be used: the prompt format does not state end"
    ):
        installed.sign(str(bundle.path))
    assert changed == path.read_text()


def test_a_bundle_from_before_manifests_were_signed_still_opens(bundle):
    path = bundle.path / MANIFEST
    raw = json.loads(path.read_text())
    del raw["content_sha256"]
    path.write_text(json.dumps(raw))

    assert bundle.manifest == ModelBundle.open(bundle.path).manifest


def test_the_embedded_model_is_signed():
    raw = json.loads((installed.default_folder() / MANIFEST).read_text(encoding="utf-8"))

    assert 64 == len(raw["content_sha256"])


def test_a_manifest_of_a_later_format_is_refused(bundle):
    edit(bundle, format_version=3)
    assert "update fim-lsp" in refused(bundle, "format_version is 3")


def embedded(**changes):
    """Returns the text of the embedded model's manifest in format 1, with changes."""
    text = (installed.default_folder() / MANIFEST).read_text(encoding="utf-8")
    raw = format_1_manifest(json.loads(text))
    raw["tokens"] |= changes.pop("tokens", {})
    return json.dumps(raw | changes)


@pytest.mark.parametrize("order", list(Order))
def test_an_order_of_format_1_is_read_as_the_template_that_it_names(order):
    found = Manifest.from_json(embedded(order=order.value)).prompt

    assert (order, HoleStart.LINE) == (found.order, found.hole_start)
    assert found.roles["file"] in found.stop_ids


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"order": None}, "order is None, not one of spm1, spm2, psm"),
        ({"hole_start": "word"}, "hole_start is 'word', not one of cursor, line"),
        ({"tokens": {"prefix": 1}}, "share one id"),
        ({"tokens": {"middle": 99_999}}, "sentinel id 99999"),
    ],
)
def test_an_order_of_format_1_is_never_guessed(changes, problem):
    with pytest.raises(BundleError, match=problem):
        Manifest.from_json(embedded(**changes))


def test_every_problem_of_a_manifest_is_named(bundle):
    edit(
        bundle,
        context_length="long",
        licence="MIT",
        weights={"dtype": "int4", "sha256": "0", "size": 1},
        prompt={"template": [1, {"slot": "suffix"}, 1, {"slot": "prefix"}], "end": 0},
        canary={},
    )
    message = refused(bundle, "manifest.json cannot be used")

    for part in ("'long'", "'licence'", "'int4'", "share one id", "canary"):
        assert part in message


@pytest.mark.parametrize(
    ("part", "value", "problem"),
    [
        ("positions", {"kind": "rope", "dim": 3, "base": 1e4, "scaling": None}, "must be even"),
        ("positions", {"kind": "rope", "dim": 18, "base": 1e4, "scaling": None}, "within the head"),
        ("positions", {"kind": "learned"}, "of the kind rope or alibi, not 'learned'"),
        ("kv_heads", 3, "heads 4 is no multiple of kv_heads 3"),
        ("layers", 0, r"decoder\.layers must be at least 1"),
        ("layers", 3, "parameters says"),
        ("windows", [8], "windows has 1 entries for 2 layers"),
        ("windows", [None, 2.5], r"decoder\.windows\[1\] must be a whole number, not 2.5"),
        ("activation", "swish", "'swish', not one of gelu, gelu_tanh, relu, silu"),
        ("biases", ["qkv", "head"], r"decoder\.biases\[1\] is 'head', not one of qkv, "),
        ("norm", "rms", "an RMS norm has none"),
        ("tied", 1, "true or false"),
    ],
)
def test_an_impossible_decoder_is_refused(bundle, part, value, problem):
    decoder = json.loads((bundle.path / MANIFEST).read_text())["decoder"]
    edit(bundle, decoder=decoder | {part: value})
    refused(bundle, problem)


@pytest.fixture
def old(tmp_path):
    """Returns a folder with the embedded model in format 1."""
    folder = tmp_path / "old"
    shutil.copytree(installed.default_folder(), folder)
    make_format_1(folder)
    return folder


def test_a_bundle_of_format_1_opens_without_being_rewritten(old):
    """Its weights keep the names and row orders of GPT-NeoX."""
    text = (old / MANIFEST).read_text(encoding="utf-8")
    assert 1 == json.loads(text)["format_version"]
    opened = ModelBundle.open(old)
    decoder, weights = opened.manifest.decoder, opened.open_weights()

    assert ("layer", "plain", "parallel") == (decoder.norm, decoder.mlp, decoder.residual)
    assert decoder.kv_heads == decoder.heads
    assert Rope(dim=64) == decoder.positions
    stored = WeightsFile(opened.path / WEIGHTS).raw(
        "gpt_neox.layers.0.attention.query_key_value.weight"
    )
    by_head = stored.reshape(decoder.heads, 3, decoder.head_dim, decoder.hidden)
    qkv = weights.int8("layers.0.attention.qkv.weight")
    assert np.array_equal(by_head.swapaxes(0, 1).reshape(-1, decoder.hidden), qkv.stored)
    assert np.array_equal(dequantise_rows(*qkv), weights.float32("layers.0.attention.qkv.weight"))
    now = ModelBundle.open(installed.default_folder()).weights()
    before = opened.weights()
    assert now.keys() == before.keys()
    assert all(np.array_equal(now[name], before[name]) for name in now)
    assert text == (old / MANIFEST).read_text(encoding="utf-8")


def test_a_manifest_of_format_1_is_written_as_format_2_and_still_fits_its_weights(old):
    original = ModelBundle.open(old)
    write_manifest(old, original.manifest.to_json())
    again = ModelBundle.open(old)

    assert original.manifest == again.manifest
    assert 2 == json.loads((old / MANIFEST).read_text())["format_version"]
    name = "layers.3.attention.qkv.bias"
    assert np.array_equal(original.weights()[name], again.weights()[name])


@pytest.mark.parametrize(
    ("part", "value", "problem"),
    [
        ("layers", 0, r"architecture\.layers must be at least 1"),
        ("heads", 7, "hidden 384 is no multiple of heads 7"),
        ("rotary_dim", 3, "must be even"),
        ("activation", "silu", "'silu', not one of gelu, "),
    ],
)
def test_an_impossible_architecture_of_format_1_is_refused(part, value, problem):
    raw = json.loads(embedded())
    raw["architecture"][part] = value

    with pytest.raises(BundleError, match=problem):
        Manifest.from_json(signed(raw))


def test_weights_named_as_in_an_unknown_family_are_refused_with_the_remedy(bundle):
    weights = json.loads((bundle.path / MANIFEST).read_text())["weights"]
    edit(bundle, weights=weights | {"family": "mamba"})

    with pytest.raises(BundleError, match=r"'mamba' checkpoints, .* update fim-lsp"):
        ModelBundle.open(bundle.path).open_weights()


def test_a_sentinel_outside_of_the_vocabulary_is_refused(bundle):
    prompt = json.loads((bundle.path / MANIFEST).read_text())["prompt"]
    edit(bundle, prompt=prompt | {"other_stops": [512]})
    refused(bundle, "sentinel id 512 is not in the vocabulary of 512 ids; correct it")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_manifest_that_is_no_object_is_refused(bundle, text):
    (bundle.path / MANIFEST).write_text(text)
    refused(bundle, "manifest.json cannot be used")


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS, TOKENIZER])
def test_a_missing_file_is_named(bundle, name):
    (bundle.path / name).unlink()
    refused(bundle, f"{name} is missing")


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
def test_a_truncated_file_is_named_with_the_remedy(bundle, name):
    path = bundle.path / name
    path.write_bytes(path.read_bytes()[:-1])
    assert "add the model again" in refused(bundle, f"{name} has .* bytes in place of")


def test_a_tokenizer_with_one_other_byte_is_refused(bundle):
    path = bundle.path / TOKENIZER
    path.write_bytes(path.read_bytes().replace(b"<|MID|>", b"<|MIB|>"))
    refused(bundle, "is damaged")


def test_weights_with_one_other_bit_are_refused_when_they_are_read(bundle):
    """Not at each start: a start reads what the engine derived from weights that were checked."""
    path = bundle.path / WEIGHTS
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    opened = ModelBundle.open(bundle.path)

    with pytest.raises(BundleError, match=r"model\.safetensors is damaged .* add the model again"):
        opened.weights()


def test_a_canary_that_the_code_writes_otherwise_is_refused(bundle):
    """Changes the canary, as a change of the format since the training would."""
    canary = json.loads((bundle.path / MANIFEST).read_text())["canary"]
    edit(bundle, canary=canary | {"ids": canary["ids"][::-1]})
    assert "add the model again" in refused(bundle, "the canary differs")


def test_the_canary_notices_another_template(bundle):
    prompt = json.loads((bundle.path / MANIFEST).read_text())["prompt"]
    edit(bundle, prompt=prompt | {"template": prompt["template"][2:] + prompt["template"][:2]})
    refused(bundle, "the canary differs")


def test_the_canary_has_snippets_if_the_model_has_a_token_for_them(bundle):
    assert bundle.manifest.canary.snippets
    assert bundle.manifest.prompt.roles["file"] in bundle.manifest.canary.ids


def test_a_folder_that_is_none_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="no model bundle"):
        ModelBundle.open(tmp_path / "nothing")


def test_opening_a_bundle_imports_no_array_library(bundle):
    """numpy alone would be a tenth of a second of the first completion's second."""
    code = (
        "import sys; from model_runtime.models.bundle import ModelBundle; "
        f"ModelBundle.open({str(bundle.path)!r}); import model_runtime.engines; "
        "print([m for m in ('numpy', 'torch', 'transformers', 'ctranslate2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
