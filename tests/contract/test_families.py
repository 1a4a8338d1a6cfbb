"""Every family runs in every engine as transformers computes it, from the checkpoint on the disk.

A folder as transformers writes it becomes a bundle in float32, and each engine opens the bundle.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_runtime.engines import registry
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.families.registry import FAMILIES
from tests.contract.conftest import ENGINES, open_with, random_ids
from tests.support.oracle import Oracle
from tests.support.requirements import required_module

required_module("torch")
required_module("transformers")

from tests.support.transformers_models import (  # noqa: E402 (it needs both)
    CASES,
    CONTEXT,
    PUBLISHED,
    logits,
    write_checkpoint,
)

MODELS = {**CASES, **PUBLISHED}
RUN = [
    pytest.param(case, engine, id=f"{case}-{engine}")
    for case, engine in product(MODELS, ENGINES)
    if engine not in MODELS[case].refused
]
REFUSED = [
    pytest.param(case, engine, id=f"{case}-{engine}")
    for case, engine in product(MODELS, ENGINES)
    if engine in MODELS[case].refused
]
SIX = SamplingParams(max_tokens=6, stop_ids=frozenset())
IDS = random_ids(150, seed=1)


@dataclass(frozen=True)
class Imported:
    """A model in transformers, and the bundle of its checkpoint."""

    model: Any
    bundle: ModelBundle

    def next_ids(self, prompt: list[int], answer: list[int]) -> list[int]:
        """Returns transformers' likeliest id at each place of `answer`; the same if it is greedy.

        Of ids that are equally likely but for rounding, it is the one of `answer`.
        """
        rows = logits(self.model, [*prompt, *answer])[len(prompt) - 1 : -1]
        likeliest, own = rows.max(-1), rows[np.arange(len(answer)), answer]
        return np.where(own >= likeliest - 1e-4, answer, rows.argmax(-1)).tolist()


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Imported]:
    """A function from the name of a case to its model."""

    @cache
    def make(case: str) -> Imported:
        folder: Path = tmp_path_factory.mktemp("model")
        model = write_checkpoint(folder / "source", MODELS[case])
        convert_folder(folder / "source", folder / "bundle", name="m", quantization="float32")
        return Imported(model, ModelBundle.open(folder / "bundle"))

    return make


@pytest.fixture(scope="module")
def opened(imported: Callable[[str], Imported]) -> Iterator[Callable[[str, str], Engine]]:
    """A function from the names of a case and an engine to the opened engine."""
    engines = []

    @cache
    def make(case: str, engine: str) -> Engine:
        engines.append(open_with(engine, imported(case).bundle))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.mark.parametrize("case", MODELS)
def test_the_plain_network_has_the_logits_that_transformers_computes(imported, case):
    expected = logits(imported(case).model, IDS)

    found = Oracle(imported(case).bundle).logits(IDS)

    assert expected.std() > 0.1  # something is to be compared
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(("case", "engine"), RUN)
def test_an_engine_has_the_log_probabilities_that_transformers_computes(
    imported, opened, case, engine
):
    expected = logits(imported(case).model, IDS).astype(np.float64)[:-1]
    expected -= np.log(np.exp(expected).sum(-1, keepdims=True))

    found = opened(case, engine).logprobs(IDS)

    places = np.arange(len(IDS) - 1)
    assert [token.logprob for token in found] == pytest.approx(
        expected[places, IDS[1:]].tolist(), abs=1e-4
    )
    likeliest = expected[places, [token.best_id for token in found]]
    assert likeliest.tolist() == pytest.approx(expected.max(-1).tolist(), abs=1e-4)


@pytest.mark.parametrize(("case", "engine"), RUN)
def test_what_an_engine_decodes_from_kept_state_is_what_transformers_decodes(
    imported, opened, case, engine
):
    """Prompts as while typing, longer than any window; the state of the one before is reused."""
    kept = []
    for length in (140, 141, 143, 130):
        with opened(case, engine).generate(IDS[:length], SIX) as stream:
            kept.append(stream.cached_tokens)
            answer = [token.id for token in stream]

        assert answer == imported(case).next_ids(IDS[:length], answer)
    assert min(kept[1:]) >= 64


@pytest.mark.parametrize(("case", "engine"), RUN)
def test_what_an_engine_decodes_in_a_batch_is_what_transformers_decodes(
    imported, opened, case, engine
):
    prompts = [random_ids(length, seed=length) for length in (1, 30, 90, 31, CONTEXT - 6)]

    batch = opened(case, engine).generate_batch(prompts, SIX)

    for prompt, tokens in zip(prompts, batch, strict=True):
        answer = [token.id for token in tokens]
        assert answer == imported(case).next_ids(prompt, answer)


@pytest.mark.parametrize(("case", "engine"), REFUSED)
def test_what_an_engine_cannot_run_it_says_in_one_sentence(imported, case, engine):
    reason = registry.find(engine).supports(imported(case).bundle)

    assert reason.endswith(MODELS[case].refused[engine])
    assert "\n" not in reason


@pytest.mark.parametrize(("case", "engine"), RUN)
def test_an_engine_that_can_run_a_model_says_nothing(imported, case, engine):
    assert "" == registry.find(engine).supports(imported(case).bundle)


def test_every_family_is_among_the_cases(imported):
    types = {imported(case).model.config.model_type for case in CASES}

    assert {family.model_types[0] for family in FAMILIES} == types
