"""Every engine with every variant of the model; each opened once for the whole session."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from model_runtime.engines.ctranslate2.engine import CTranslate2Engine
from model_runtime.engines.ctranslate2.support import supports as ctranslate2_supports
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.onnx.support import supports as onnx_supports
from model_runtime.engines.protocol import Engine
from model_runtime.engines.torch.support import supports as torch_supports
from model_runtime.models.bundle import ModelBundle
from tests.support.oracle import Oracle
from tests.support.random_models import DECODERS, VARIANTS, make_bundle
from tests.support.requirements import required_module

# One thread each: these models are too small for two, and the tests often share the machine.
ENGINES = ("ctranslate2", "onnx", "torch")
SUPPORTS = {
    "ctranslate2": ctranslate2_supports,
    "onnx": onnx_supports,
    "torch": torch_supports,
}
MODELS = {**VARIANTS, **DECODERS}
REFUSED = {
    "ctranslate2": {
        "post norms, soft-caps",
        "windows",
        "no positions",
        "llama3 scaling",
        "yarn scaling",
    },
    "onnx": set(),
    "torch": set(),
}
"""Variants that an engine does not compute; a test holds this against what the engine says."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what an engine refuses, so that no test of it is skipped at run time."""
    refused = [item for item in items if is_refused(item)]
    config.hook.pytest_deselected(items=refused)
    items[:] = [item for item in items if item not in refused]


def is_refused(item: pytest.Item) -> bool:
    """Tells whether a test runs a variant in an engine that refuses it."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return params.get("variant") in REFUSED.get(params.get("engine_name"), ())


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Engines derive their forms into a folder of this session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setattr(
            "model_runtime.engines.artifact_cache.user_cache_path", lambda *_, **__: folder
        )
        yield folder


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ModelBundle]:
    """A function from the name of a variant to its bundle."""

    @cache
    def make(name: str, quantization: str = "float32") -> ModelBundle:
        return make_bundle(tmp_path_factory.mktemp("model"), MODELS[name], quantization)

    return make


@pytest.fixture(scope="session")
def engine_of(bundle_of: Callable[..., ModelBundle]) -> Iterator[Callable[..., Engine]]:
    """A function from the names of an engine and a variant to an opened engine."""
    opened = []

    @cache
    def make(engine: str, variant: str, quantization: str = "float32") -> Engine:
        opened.append(open_with(engine, bundle_of(variant, quantization)))
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


def open_with(engine: str, bundle: ModelBundle, *, kept_bytes: int | None = None) -> Engine:
    """Open by name; the test is skipped where PyTorch is not installed."""
    if engine == "ctranslate2":
        return CTranslate2Engine.open(bundle, threads=1, kept_bytes=kept_bytes)
    if engine == "onnx":
        return OnnxEngine.open(bundle, threads=1, kept_bytes=kept_bytes)
    required_module("torch")
    from model_runtime.engines.torch.engine import TorchEngine

    return TorchEngine.open(bundle, device="cpu", threads=1, kept_bytes=kept_bytes)


@pytest.fixture(params=list(MODELS))
def variant(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def engine(engine_of: Callable[..., Engine], engine_name: str) -> Engine:
    """Each engine with one model, for what does not depend on the model."""
    return engine_of(engine_name, "rotary quarter")


@pytest.fixture(scope="session")
def oracle_of(bundle_of: Callable[..., ModelBundle]) -> Callable[..., Oracle]:
    """A function from the name of a variant to the plain numpy network."""
    return cache(lambda name, quantization="float32": Oracle(bundle_of(name, quantization)))


@pytest.fixture
def prompt() -> list[int]:
    """200 ids, none of them a sentinel."""
    return random_ids(200, seed=1)


def random_ids(count: int, seed: int) -> list[int]:
    """Ids of ordinary tokens."""
    generator = random.Random(seed)
    return [generator.randrange(6, 400) for _ in range(count)]
