"""Promises of the ONNX engine alone."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from model_runtime.engines.abilities import KeptTexts, WeightForms
from model_runtime.engines.onnx.block_quantization import Blocks, quantise_blocks
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.onnx.forms import Forms, form_folder, row_kind
from model_runtime.engines.onnx.matrices import KINDS, SIGNED_ROWS
from model_runtime.engines.protocol import SamplingParams
from model_runtime.errors import EngineError, EngineUnavailable
from tests.contract.conftest import open_with, random_ids
from tests.contract.test_cache import HISTORIES, OTHER, TEXT
from tests.support.oracle import Oracle
from tests.support.random_models import DECODERS, VARIANTS, make_bundle

FREE = SamplingParams(max_tokens=4, stop_ids=frozenset())
QUANTISED = sorted({*KINDS} - {"float32", SIGNED_ROWS})
"""Number types that any processor multiplies exactly."""


@pytest.fixture
def fresh(bundle_of):
    """A function that opens an engine of its own."""
    opened = []

    def make(variant="rotary quarter", quantization="float32", **options):
        opened.append(OnnxEngine.open(bundle_of(variant, quantization), threads=1, **options))
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


def ask(engine, prompt, sampling=FREE, cancel=None):
    """The tokens, and how much of the prompt was cached."""
    with engine.generate(prompt, sampling, cancel) as stream:
        return list(stream), stream.cached_tokens


@pytest.mark.parametrize("kind", QUANTISED)
@pytest.mark.parametrize("history", ["typing", "jumping"])
def test_block_quantised_models_decode_the_same_cached_and_cold(fresh, kind, history):
    """The parts in which the prompt was run do not matter, but for the order of float additions."""
    warm, cold = fresh("tied", "int8", kind=kind), fresh("tied", "int8", kind=kind)
    for prompt in HISTORIES[history]:
        cold.forget()
        expected, none = ask(cold, prompt)
        found, _ = ask(warm, prompt)

        assert 0 == none
        assert [token.id for token in expected] == [token.id for token in found]
        assert [token.logprob for token in expected] == pytest.approx(
            [token.logprob for token in found], abs=1e-3
        )


@pytest.mark.parametrize("kind", QUANTISED)
@pytest.mark.parametrize(
    "variant", ["rotary quarter", "sequential", "alibi, six heads, sequential"]
)
def test_every_number_type_runs_near_the_floats(fresh, oracle_of, kind, variant):
    """Eight bits of a bundle are taken as they are, so only the inputs are rounded; four are coarse."""
    ids = random_ids(300, seed=51)
    found = fresh(variant, "int8", kind=kind).logprobs(ids)

    expected = oracle_of(variant, "int8").logprobs(ids[:-1])[np.arange(299), ids[1:]]
    difference = np.abs([token.logprob for token in found] - expected).mean()
    assert difference < (1.0 if kind.startswith("int4") else 0.1)


@pytest.fixture
def two_forms(bundle_of):
    """A function that opens an engine with a form of each of two number types."""
    opened = []

    def make(variant, quantization, writing, reading, least):
        bundle = bundle_of(variant, quantization)
        opened.append(
            OnnxEngine(
                form_folder(bundle, writing),
                bundle.manifest.decoder,
                bundle.manifest.context_length,
                forms=Forms(writing, reading, least),
                reading=form_folder(bundle, reading),
                threads=1,
            )
        )
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


@pytest.mark.parametrize("least", [1, 16, 33])
@pytest.mark.parametrize("variant", ["tied", "grouped heads, rms norm, gated"])
def test_two_forms_go_on_with_each_others_keys_and_values(two_forms, oracle_of, variant, least):
    """Both compute the same in float32, so what is decoded is what one form decodes."""
    engine = two_forms(variant, "float32", "float32", "float32", least)
    for prompt in HISTORIES["jumping"]:
        found = [token.id for token in ask(engine, prompt)[0]]
        assert oracle_of(variant).next_ids(prompt, found) == found


@pytest.mark.parametrize(
    "variant", ["rotary quarter", "biases of qkv alone", "norms of queries and keys"]
)
def test_a_text_that_is_read_by_rows_and_by_blocks_is_near_the_floats(
    two_forms, oracle_of, variant
):
    engine = two_forms(variant, "int8", "int8-128", row_kind(), 64)
    ids = random_ids(300, seed=51)  # passes of 128, 128 and 43
    expected = oracle_of(variant, "int8").logprobs(ids[:-1])[np.arange(299), ids[1:]]

    difference = np.abs([token.logprob for token in engine.logprobs(ids)] - expected).mean()
    assert difference < 0.1


def test_a_cancelled_read_leaves_what_both_forms_can_go_on_with(two_forms, oracle_of):
    engine = two_forms("tied", "float32", "float32", "float32", 32)
    prompt, cancel = random_ids(400, seed=73), threading.Event()
    ask(engine, prompt[:100])
    cancel.set()

    assert ([], 100) == ask(engine, prompt, cancel=cancel)
    found, cached = ask(engine, prompt)
    assert 100 == cached
    assert oracle_of("tied").next_ids(prompt, [it.id for it in found]) == [it.id for it in found]


def test_keys_in_an_editor_cost_their_own_tokens(fresh):
    """`cachedTokens` over a small session: typing, an undo, a jump and back, another file and back."""
    engine = fresh("tied", "int8")
    other = random_ids(250, seed=52)
    session = [
        ([1, *TEXT[:100], 3], 0),
        ([1, *TEXT[:101], 3], 101),
        ([1, *TEXT[:102], 3], 102),
        ([1, *TEXT[:100], 3], 101),
        ([1, *TEXT[200:300], 3], 1),
        ([1, *TEXT[:101], 3], 101),
        ([2, *other, 3], 0),
        ([1, *TEXT[:102], 3], 102),
        ([2, *other, 9, 3], 251),
        ([1, *TEXT[:50], 7, *TEXT[50:101], 3], 51),
        ([1, *TEXT[:103], 3], 103),
    ]

    assert [cached for _, cached in session] == [ask(engine, prompt)[1] for prompt, _ in session]


@pytest.mark.parametrize("engine_name", ["onnx", "torch"])
def test_texts_share_one_budget_of_memory(bundle_of, oracle_of, engine_name):
    """Their memory grows with what is read, whatever the context could hold."""
    bundle = bundle_of("rotary quarter")
    budget = 3 * 256 * bundle.manifest.decoder.kv_bytes_per_token()
    engine = open_with(engine_name, bundle, kept_bytes=budget)
    used = [engine.kept_texts]
    for seed in (61, 62, 63, 64, 61, 65, 64):
        prompt = random_ids(200, seed)
        ids = [token.id for token in ask(engine, prompt)[0]]

        assert oracle_of("rotary quarter").next_ids(prompt, ids) == ids
        used.append(engine.kept_texts)
    engine.close()

    assert [0, 1, 2, 3, 3, 3, 3, 3] == [kept.number for kept in used]
    assert [kept.number * budget // 3 for kept in used] == [kept.used_bytes for kept in used]
    assert {budget} == {kept.max_bytes for kept in used}
    assert KeptTexts(0, 0, budget) == engine.kept_texts


def test_without_a_budget_one_text_is_kept(fresh, prompt):
    engine = fresh(kept_bytes=0)

    assert [0, 199, 0, 0] == [
        ask(engine, ids)[1] for ids in (prompt, prompt, random_ids(90, seed=66), prompt)
    ]
    assert 1 == engine.kept_texts.number


@pytest.mark.parametrize("engine_name", ["onnx", "torch"])
@pytest.mark.parametrize("variant", ["rotary quarter", "grouped heads, rms norm, gated"])
def test_a_text_that_grows_keeps_what_was_read(bundle_of, oracle_of, engine_name, variant):
    """Each prompt is longer than the last, so the memory is made larger, again and again."""
    engine = open_with(engine_name, bundle_of(variant))
    text = random_ids(450, seed=67)
    cached, used = [], []
    for end in range(60, 440, 20):
        tokens, known = ask(engine, text[:end])
        found = [token.id for token in tokens]
        assert oracle_of(variant).next_ids(text[:end], found) == found
        cached.append(known)
        used.append(engine.kept_texts)
    engine.close()

    assert [0, *range(60, 420, 20)] == cached
    assert {1} == {kept.number for kept in used}
    assert used[0].used_bytes < used[-1].used_bytes


@pytest.mark.parametrize("fails", [1, 2])
def test_where_memory_is_short_less_is_kept_and_it_still_works(
    fresh, oracle_of, monkeypatch, caplog, fails
):
    engine = fresh()
    prompts = [random_ids(200, seed) for seed in (68, 69, 70)]
    for prompt in prompts[:2]:
        ask(engine, prompt)
    before = engine.kept_texts
    new_text, left = engine.passes.new_text, [fails]

    def short_of_memory(rows):
        left[0] -= 1
        if left[0] >= 0:
            raise MemoryError
        return new_text(rows)

    monkeypatch.setattr(engine.passes, "new_text", short_of_memory)
    if fails > 1:
        with pytest.raises(EngineError, match="close other programs, or choose a smaller model"):
            ask(engine, prompts[2])
    found = [token.id for token in ask(engine, prompts[2])[0]]

    assert oracle_of("rotary quarter").next_ids(prompts[2], found) == found
    assert (1, before.used_bytes // 2) == (engine.kept_texts.number, engine.kept_texts.max_bytes)
    assert 1 == sum("memory is short" in record.message for record in caplog.records)


def test_a_failing_backend_is_reported_and_leaves_no_half_filled_cache(fresh, monkeypatch):
    engine, prompt = fresh(), random_ids(100, seed=72)
    expected, _ = ask(engine, prompt)

    def break_down(*_):
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(engine.passes, "session", SimpleNamespace(run_with_iobinding=break_down))
        with pytest.raises(EngineError, match="ONNX Runtime failed"):
            ask(engine, [*prompt[:90], 9])

    assert (expected, 90) == ask(engine, prompt)


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "half written": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "foreign": lambda path: path.write_bytes(b"\xff" * path.stat().st_size),
    "flipped": lambda path: path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes())),
}


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("decoder.onnx", "missing"),
        ("decoder.onnx", "half written"),
        ("decoder.onnx", "foreign"),
        ("decoder.bin", "missing"),
        ("decoder.bin", "half written"),
        ("decoder.bin", "foreign"),
        ("decoder.bin", "flipped"),
        ("derived.json", "foreign"),
    ],
)
def test_a_damaged_form_is_made_again(tmp_path, monkeypatch, damage, name, prompt):
    monkeypatch.setattr(
        "model_runtime.engines.artifact_cache.user_cache_path", lambda *_, **__: tmp_path / "cache"
    )
    bundle = make_bundle(tmp_path, VARIANTS["tied"], "int8")
    engine = OnnxEngine.open(bundle, threads=1)
    expected, _ = ask(engine, prompt)
    engine.close()
    (folder,) = (tmp_path / "cache" / "derived").iterdir()
    DAMAGES[damage](folder / name)

    engine = OnnxEngine.open(bundle, threads=1)
    assert expected == ask(engine, prompt)[0]
    engine.close()
    assert [folder] == list((tmp_path / "cache" / "derived").iterdir())


@pytest.mark.parametrize(("quantization", "near"), [("float32", 1e-3), ("int8", 0.5)])
def test_a_head_with_a_graph_of_its_own_gives_the_same_logits(tmp_path, prompt, quantization, near):
    spec = replace(
        DECODERS["grouped heads, rms norm, gated"],
        vocab=70_000,
        hidden=256,
        logit_scale=0.5,
        logit_softcap=15.0,
    )
    bundle = make_bundle(tmp_path, spec, quantization)
    engine = OnnxEngine.open(bundle, threads=1)
    ids = [*prompt, 69_999]
    expected = Oracle(bundle).logprobs(ids)

    found = [token.logprob for token in engine.logprobs(ids)]
    assert found == pytest.approx(expected[np.arange(len(ids) - 1), ids[1:]], abs=near)
    (token, *_), _ = ask(engine, ids)
    assert expected[-1].max() == pytest.approx(expected[-1][token.id], abs=near)
    assert expected[-1].max() == pytest.approx(token.logprob, abs=near)
    engine.close()


def test_a_gpu_is_refused_with_what_to_do(bundle_of):
    with pytest.raises(EngineUnavailable, match="set device to cpu"):
        OnnxEngine.open(bundle_of("tied"), device="cuda")


@pytest.mark.parametrize("blocks", [Blocks(8, 32), Blocks(4, 32), Blocks(4, 128)])
def test_blocks_hold_a_matrix_to_half_a_step(blocks):
    matrix = np.random.default_rng(0).normal(size=(6, 80)).astype(np.float32)
    matrix[2] = 0
    stored, scales = quantise_blocks(matrix, blocks)
    if blocks.bits == 4:
        stored = np.stack([stored & 15, stored >> 4], axis=-1).reshape(*stored.shape[:2], -1)
    scales = scales.reshape(6, -1, 1)
    restored = (stored.astype(int) - 2 ** (blocks.bits - 1)) * scales

    steps = np.abs(restored.reshape(6, -1)[:, :80] - matrix).reshape(6, -1)
    allowed = np.repeat(np.abs(scales[..., 0]), blocks.size, axis=1)[:, :80]
    assert (steps <= allowed * 1.001).all()  # a whole one at the far end of the other sign
    assert (np.median(steps / allowed)) <= 0.3


@pytest.mark.parametrize("engine_name", ["onnx", "torch"])
def test_it_tells_what_is_left_to_read_and_how_long_that_takes(bundle_of, engine_name):
    """Nothing is known of the time before a pass was long enough to tell."""
    engine = open_with(engine_name, bundle_of("rotary quarter"))
    before = engine.unread(TEXT[:200])
    ask(engine, TEXT[:200])
    same, other, longer = (engine.unread(it) for it in (TEXT[:200], OTHER[:200], TEXT[:210]))
    engine.close()

    assert (200, 0.0) == before
    assert (1, 200, 10) == (same.ids, other.ids, longer.ids)
    assert other.seconds == pytest.approx(200 * same.seconds)
    assert 0 < same.seconds < longer.seconds


@pytest.mark.parametrize(
    ("writing", "reading", "text"),
    [
        ("int8-128", "int8-rows", "reads with int8-rows, writes with int8-128"),
        ("int8-rows", "int8-rows", "reads and writes with int8-rows"),
    ],
)
def test_it_names_the_forms_of_the_weights(two_forms, writing, reading, text):
    forms = two_forms("tied", "int8", writing, reading, 16).weight_forms

    assert WeightForms(writing, reading, has_shortlist=False) == forms
    assert text == forms.text
