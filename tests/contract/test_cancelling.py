"""A superseded request costs the next one no more than a part of a pass: counted in ids that run."""

import threading

import pytest

from model_runtime.engines.protocol import SamplingParams
from tests.contract.conftest import open_with, random_ids
from tests.support.random_models import Variant, make_bundle

FREE = SamplingParams(max_tokens=4, stop_ids=frozenset())
INTERRUPTING = ("onnx", "torch")
"""Engines that interrupt a pass; CTranslate2 ends a prompt first."""


@pytest.fixture(scope="module")
def slow_bundle(tmp_path_factory):
    """Large enough that a pass of one id takes several looks at the cancel flag."""
    variant = Variant(layers=6, hidden=1024, heads=8, positions=1024)
    return make_bundle(tmp_path_factory.mktemp("slow"), variant)


@pytest.fixture(params=INTERRUPTING)
def engine(request, slow_bundle):
    engine = open_with(request.param, slow_bundle)
    yield engine
    engine.close()


def ask(engine, prompt, sampling=FREE, cancel=None):
    """The tokens, and how much of the prompt was cached."""
    with engine.generate(prompt, sampling, cancel) as stream:
        return [token.id for token in stream], stream.cached_tokens


def cancel_in(engine, monkeypatch, number):
    """A flag that is set when the pass of that number starts, and the ids of all passes."""
    cancel, passes, run = threading.Event(), [], engine.passes.run

    def counted(text, start, ids, options=None, kept=1):
        passes.append(len(ids))
        if len(passes) == number:
            cancel.set()
        return run(text, start, ids, options, kept)

    monkeypatch.setattr(engine.passes, "run", counted)
    return cancel, passes


def test_a_prefill_ends_within_a_pass_and_keeps_those_before_it(engine, monkeypatch):
    """No id runs after the flag was set, and the next request has all that was finished."""
    prompt = random_ids(600, seed=71)
    expected, _ = ask(engine, prompt)
    engine.forget()
    cancel, passes = cancel_in(engine, monkeypatch, 2)

    assert ([], 0) == ask(engine, prompt, FREE, cancel)
    assert 2 == len(passes)
    monkeypatch.undo()
    assert (expected, passes[0]) == ask(engine, prompt)


def test_decoding_ends_within_a_pass(engine, monkeypatch):
    prompt = random_ids(20, seed=72)
    expected, _ = ask(engine, prompt)
    engine.forget()
    cancel, passes = cancel_in(engine, monkeypatch, 3)

    assert (expected[:2], 0) == ask(engine, prompt, FREE, cancel)
    assert [20, 1, 1] == passes
    monkeypatch.undo()
    assert (expected, 19) == ask(engine, prompt)


def test_a_flag_that_was_set_before_costs_nothing(engine, monkeypatch):
    cancel, passes = cancel_in(engine, monkeypatch, 1)
    cancel.set()

    assert ([], 0) == ask(engine, random_ids(40, seed=73), FREE, cancel)
    assert not passes


def test_torch_looks_at_the_flag_before_each_layer(slow_bundle, monkeypatch):
    engine = open_with("torch", slow_bundle)
    from model_runtime.engines.torch.layer import Layer

    cancel, layers, forward = threading.Event(), [], Layer.forward

    def counted(self, *inputs):
        layers.append(self)
        if len(layers) == 2:
            cancel.set()
        return forward(self, *inputs)

    monkeypatch.setattr(Layer, "forward", counted)
    assert ([], 0) == ask(engine, random_ids(200, seed=74), FREE, cancel)
    assert 2 == len(layers) < 6
    engine.close()
