"""Promises of the ONNX engine's shortlist of the output head."""

from dataclasses import replace

import numpy as np
import pytest

from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.onnx.matrices import UNSIGNED_ROWS
from model_runtime.engines.onnx.shortlist import COUNT, Shortlist, write_shortlist
from model_runtime.engines.protocol import SamplingParams
from model_runtime.models.tensors import Int8Matrix
from model_runtime.models.weights import dequantise_rows, quantise_rows
from tests.contract.conftest import random_ids
from tests.support.random_models import DECODERS, make_bundle

VOCAB, HIDDEN = 3000, 200
DRAWN = np.random.default_rng(7)
HEAD = Int8Matrix(*quantise_rows(DRAWN.normal(size=(VOCAB, HIDDEN)).astype(np.float32)))
IS_OTHER = DRAWN.random(VOCAB) < 0.4
ROWS = DRAWN.normal(size=(40, HIDDEN)).astype(np.float32)


@pytest.fixture(scope="module")
def shortlist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shortlist")
    write_shortlist(HEAD, IS_OTHER, folder)
    return Shortlist(folder, threads=1, columns=128)


def logits_of(hidden, chosen=None):
    """Returns the logits of the whole head in floats; -inf for ids that are not chosen."""
    logits = dequantise_rows(*HEAD) @ hidden
    return logits if chosen is None else np.where(chosen, logits, -np.inf)


def logprob(logits, id_):
    return logits[id_] - logits.max() - np.log(np.exp(logits - logits.max()).sum())


def in_doubt(hidden):
    """Returns a row that makes many ids likely."""
    return hidden * 0.05


@pytest.mark.parametrize("is_plain", [False, True])
@pytest.mark.parametrize("row", range(0, len(ROWS), 2))
def test_the_likeliest_of_all_ids_is_found_in_doubt_and_in_other_texts(shortlist, row, is_plain):
    hidden = in_doubt(ROWS[row]) if is_plain else ROWS[row]
    expected = logits_of(hidden)

    token = shortlist.pick(hidden, is_plain=is_plain)
    assert expected.max() == pytest.approx(expected[token.id], rel=0.02)
    assert logprob(expected, token.id) == pytest.approx(token.logprob, abs=0.3)


@pytest.mark.parametrize("row", range(1, len(ROWS), 2))
def test_a_plain_text_goes_on_with_plain_ids_where_one_is_likely(shortlist, row):
    expected = logits_of(ROWS[row], ~IS_OTHER)

    token = shortlist.pick(ROWS[row], is_plain=True)
    if logprob(expected, expected.argmax()) > np.log(0.5):
        assert not IS_OTHER[token.id]
        assert expected.max() == pytest.approx(expected[token.id], rel=0.02)


def test_places_of_other_ids_are_told(shortlist):
    plain, other = np.flatnonzero(~IS_OTHER)[:3], np.flatnonzero(IS_OTHER)[:2]

    assert [] == shortlist.other_places(50, plain.tolist())
    assert [51, 54] == shortlist.other_places(50, [plain[0], other[0], *plain[1:], other[1]])


@pytest.fixture(scope="module", params=["int8-128", "int8-32", UNSIGNED_ROWS])
def engines(request, tmp_path_factory):
    """Yields two engines of a model with a large head, the second exact, and its bundle."""
    spec = replace(DECODERS["grouped heads, rms norm, gated"], vocab=70_000, hidden=256)
    bundle = make_bundle(tmp_path_factory.mktemp("bundle"), spec, "int8")
    opened = [
        OnnxEngine.open(bundle, threads=1, kind=request.param, is_exact=is_exact)
        for is_exact in (False, True)
    ]
    yield (*opened, bundle)
    for engine in opened:
        engine.close()


@pytest.mark.parametrize("seed", [81, 82, 83])
def test_greedy_ids_are_those_of_the_whole_head(engines, seed):
    short, exact, _ = engines
    greedy = SamplingParams(12, frozenset())
    with short.generate(random_ids(60, seed), greedy) as found:
        tokens = list(found)
    with exact.generate(random_ids(60, seed), greedy) as found:
        expected = list(found)

    assert [token.id for token in expected] == [token.id for token in tokens]
    assert [token.logprob for token in expected] == pytest.approx(
        [token.logprob for token in tokens], abs=0.05
    )


def test_sampling_scores_and_forced_text_ask_the_whole_head(engines):
    short, exact, bundle = engines
    sampled = SamplingParams(8, frozenset(), temperature=0.8, top_p=0.95, seed=3)
    one = SamplingParams(1, frozenset())
    forced = bundle.tokenizer.forced("return va")
    answers = []
    for engine in (short, exact):
        with engine.generate(random_ids(60, seed=84), sampled) as first:
            tokens = list(first)
        with engine.generate(random_ids(60, seed=85), one, forced=forced) as second:
            tokens += second
        answers.append((tokens, engine.logprobs(random_ids(50, seed=86))))

    assert answers[1] == answers[0]


def test_a_vocabulary_of_one_kind_has_no_shortlist(tmp_path):
    is_other = np.zeros(VOCAB, bool)
    is_other[: COUNT - 1] = True
    write_shortlist(HEAD, is_other, tmp_path)

    assert [] == list(tmp_path.iterdir())
