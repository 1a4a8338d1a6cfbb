"""Options, folders and the table of the fault tests; `make test-faults` runs them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_runtime.models.bundle import ModelBundle
from tests.faults.servers import Home
from tests.faults.tally import Tally
from tests.support.random_models import VARIANTS, make_bundle

_TALLY = pytest.StashKey[Tally]()
HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--fault-seed", type=int, default=19, help="seed of all that is drawn")
    group.addoption("--kills", type=int, default=200, help="processes to kill")
    group.addoption("--messages", type=int, default=6000, help="fuzzed messages to send")
    group.addoption("--stop-seconds", type=float, default=5, help="seconds of SIGSTOP")
    group.addoption("--tally", type=Path, help="file for the table, as JSON")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(config: pytest.Config) -> None:
    tally = config.stash.get(_TALLY, None)
    if tally is None or not tally.counts:
        return
    tally.print()
    if path := config.getoption("--tally"):
        tally.write(path)


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash.setdefault(_TALLY, Tally())


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Draws the same for a test at each run with one seed."""
    return random.Random(f"{request.config.getoption('--fault-seed')} {request.node.name}")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Folders of a user who has never run the server."""
    with Home.made(tmp_path / "home") as home:
        yield home


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """A bundle of 0.7 MB with random weights."""
    return make_bundle(tmp_path_factory.mktemp("tiny"), VARIANTS["rotary quarter"])
