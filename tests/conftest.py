"""Fixtures of all tests: nothing is counted in the folders of the user who runs them."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers in this process and those that tests start keep their counts in a folder of ours."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    yield
    patch.undo()


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """The handlers and the level that a test has set up for a server are gone after it."""
    root, pygls = logging.getLogger(), logging.getLogger("pygls")
    handlers, level, level_of_pygls = root.handlers[:], root.level, pygls.level
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    pygls.setLevel(level_of_pygls)
