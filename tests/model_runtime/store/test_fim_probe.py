"""Planted lines tell a model that reads its format from one that merely owns the tokens."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_runtime.engines import open_engine, registry
from model_runtime.importers.bundle_weights import write_bundle_weights
from model_runtime.models.bundle import MANIFEST, WEIGHTS, ModelBundle
from model_runtime.models.decoder import EMBEDDING, HEAD
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.store.fim_probe import FimProbe, probe
from model_runtime.store.installed import default_folder
from model_runtime.store.planted import planted_lines
from tests.support.random_models import DECODERS, VARIANTS, make_bundle

RANDOM = VARIANTS | {
    name: DECODERS[name] for name in ("grouped heads, rms norm, gated", "layer norm without biases")
}


@pytest.fixture(scope="module")
def embedded() -> ModelBundle:
    """The model inside the package, which was trained on spm1."""
    return ModelBundle.open(default_folder())


def probed(bundle: ModelBundle, order: Order | None = None) -> FimProbe:
    """Returns what the reference engine finds, in the bundle's own order or in another."""
    form = bundle.manifest.prompt
    if order is not None:
        roles = form.roles
        tokens = FimTokens(form.end, roles["suffix"], roles["prefix"], roles["middle"])
        form = replace(form, template=order.template(tokens))
    engine = open_engine(bundle, engine=registry.reference())
    try:
        return probe(bundle, engine, form)
    finally:
        engine.close()


def with_noise(bundle: ModelBundle, folder: Path) -> ModelBundle:
    """Returns a copy in which noise stands in place of what training made of the sentinels."""
    shutil.copytree(bundle.path, folder)
    (folder / WEIGHTS).unlink()
    manifest, noise = bundle.manifest, np.random.default_rng(7)
    weights = bundle.weights()

    def changed(name: str) -> np.ndarray:
        values = np.array(weights[name])
        if name in (EMBEDDING, HEAD):
            for id_ in manifest.prompt.sentinels:
                values[id_] = noise.permutation(values[id_ + 200])
        return values

    facts = write_bundle_weights(folder / WEIGHTS, manifest.decoder, changed, "int8")
    (folder / MANIFEST).write_text(replace(manifest, weights=facts).to_json(), encoding="utf-8")
    return ModelBundle.open(folder)


def test_a_planted_line_stands_elsewhere_in_its_file_as_well():
    for hole, line in planted_lines():
        assert line in (hole.prefix + hole.suffix).splitlines(keepends=True)
        assert line.endswith("\n")


def test_the_embedded_model_fills_most_planted_lines(embedded):
    found = probed(embedded)

    assert found.passes
    assert found.filled >= 0.7 * found.planted


@pytest.mark.parametrize("order", [Order.PSM, Order.SPM2])
def test_a_model_that_is_asked_in_another_order_does_not(embedded, order):
    found = probed(embedded, order)

    assert not found.passes
    assert found.filled <= 0.2 * found.planted


def test_a_model_that_merely_owns_the_tokens_does_not(embedded, tmp_path):
    assert not probed(with_noise(embedded, tmp_path / "noise")).passes


@pytest.mark.parametrize("variant", RANDOM)
@pytest.mark.parametrize("order", [None, Order.PSM])
def test_no_random_model_passes(variant, order, tmp_path):
    assert 0 == probed(make_bundle(tmp_path, RANDOM[variant]), order).filled
