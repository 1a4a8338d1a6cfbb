"""Guessing ids ahead changes how often a model runs, and nothing that it says."""

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.speculative import Drafting
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import PromptBudget, PromptRequest
from model_runtime.store import installed
from tests.contract.conftest import random_ids
from tests.contract.test_embedded_model import HOLES

DRAFTING_ENGINES = ("onnx", "torch")
GREEDY = SamplingParams(max_tokens=24, stop_ids=frozenset())
TEXT = random_ids(12, seed=81)


@pytest.fixture(params=DRAFTING_ENGINES)
def engine(request, engine_of):
    """Makes an engine that guesses only while a test says so."""
    engine = engine_of(request.param, "rotary quarter")
    engine.drafting = None
    yield engine
    engine.drafting = engine.draft_source = None


def answer(engine, prompt, sampling=GREEDY, drafting=None, source=None):
    """The tokens, and what became of the guesses."""
    engine.drafting, engine.draft_source = drafting, source
    with engine.generate(prompt, sampling) as stream:
        return list(stream), stream.drafts


def same(expected, found, within=1e-3):
    return [token.id for token in expected] == [token.id for token in found] and [
        token.logprob for token in expected
    ] == pytest.approx([token.logprob for token in found], abs=within)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_drafts_change_no_id_and_no_probability(engine_of, data):
    """Whatever the text, what is proposed, where it stops, and how it is sampled."""
    name = data.draw(st.sampled_from(DRAFTING_ENGINES))
    variant = data.draw(st.sampled_from(["rotary quarter", "tied", "sequential", "alibi"]))
    engine = engine_of(name, variant)
    ids = st.integers(6, 60)
    part = data.draw(st.lists(ids, min_size=1, max_size=20))
    prompt = [1, *data.draw(st.lists(ids, max_size=20)), 2, *part, *part, 3]
    sampling = SamplingParams(
        data.draw(st.integers(1, 24)),
        frozenset({1, 2, 3, *data.draw(st.lists(st.integers(0, 511), max_size=4))}),
        temperature=data.draw(st.sampled_from([0.0, 0.0, 1.0])),
        seed=7,
    )
    plain, none = answer(engine, prompt, sampling)
    truth = [token.id for token in plain]
    wrong_at = data.draw(st.integers(0, 24))

    def source(text):
        """Guesses what will come, up to a wrong guess."""
        known = [id_ for id_ in prompt if id_ not in sampling.stop_ids]
        future = truth[len(text) - len(known) :]
        return [*future[:wrong_at], 9, 9]

    drafting = Drafting(data.draw(st.integers(1, 8)), data.draw(st.integers(1, 4)))
    found, counts = answer(engine, prompt, sampling, drafting, source)
    engine.drafting = engine.draft_source = None

    assert same(plain, found)
    assert 0 == none.proposed
    assert counts.accepted <= counts.proposed
    assert len(found) <= counts.passes + counts.accepted + 1
    # Nothing wrong is kept, either.
    assert same(plain, answer(engine, prompt, sampling)[0])


def test_right_guesses_save_passes(engine, prompt):
    plain, slow = answer(engine, prompt)
    truth = [token.id for token in plain]

    found, quick = answer(
        engine, prompt, drafting=Drafting(4, 3), source=lambda text: truth[len(text) - 200 :]
    )

    assert same(plain, found)
    assert 23 == slow.passes
    # Five tokens for a pass, but for the first one, which the prompt gives.
    assert (5, 18, 18) == (quick.passes, quick.proposed, quick.accepted)


def test_a_guess_is_never_longer_than_the_answer_may_be(engine):
    room = engine.context_length
    prompt = (TEXT * room)[: room - 3]
    plain, _ = answer(engine, prompt, SamplingParams(3, frozenset()))
    found, _ = answer(engine, prompt, SamplingParams(3, frozenset()), Drafting(16, 1))

    assert same(plain, found)


def test_cancelling_stops_between_the_tokens_of_one_pass(engine, prompt):
    truth = [token.id for token in answer(engine, prompt)[0]]
    engine.drafting = Drafting(8, 3)
    engine.draft_source = lambda text: truth[len(text) - 200 :]
    cancel = threading.Event()
    with engine.generate(prompt, GREEDY, cancel) as stream:
        assert truth[:4] == [next(stream).id for _ in range(4)]
        cancel.set()
        assert [] == list(stream)

    assert truth == [token.id for token in answer(engine, prompt)[0]]


def test_one_pass_verifies_a_draft(engine, prompt):
    truth = [token.id for token in answer(engine, prompt)[0]]
    wrong = (truth[2] + 1) % 400

    for drafted, right in (
        ([], 0),
        (truth[:4], 4),
        ([*truth[:2], wrong, truth[3]], 2),
        ([(truth[0] + 1) % 400], 0),
    ):
        found = [token.id for token in engine.verify(prompt, drafted)]
        assert truth[: right + 1] == found
    with engine.generate(prompt, GREEDY) as stream:
        assert 199 == stream.cached_tokens
        assert truth == [token.id for token in stream]


@pytest.mark.parametrize(("kind", "within"), [("float32", 1e-3), ("int8-128", 0.05)])
def test_the_embedded_model_answers_the_same_with_drafts(kind, within):
    """The bound is wider with 8 bits: a float's last digit may decide how an input is rounded."""
    bundle = ModelBundle.open(installed.default_folder())
    engine = OnnxEngine.open(bundle, threads=1, kind=kind)
    sampling = SamplingParams(48, bundle.stop_ids)
    budget = PromptBudget(bundle.manifest.context_length - 48)
    accepted = 0
    for hole in HOLES:
        prompt = bundle.encoder.prompt(PromptRequest(hole), budget).ids
        plain, _ = answer(engine, prompt, sampling)
        for drafting in (Drafting(2, 1), Drafting(4, 2), Drafting(8, 2)):
            found, counts = answer(engine, prompt, sampling, drafting)
            accepted += counts.accepted
            assert same(plain, found, within)
    engine.close()
    assert accepted
