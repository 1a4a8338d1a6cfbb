from pathlib import Path

import pytest

from model_runtime.evaluation.sandbox import Limits, Sandbox
from tests.support.requirements import required_sandbox

DATA = Path(__file__).parents[2] / "data" / "human_eval_infilling"


@pytest.fixture(scope="session")
def data() -> Path:
    """The two small splits; the others are too large to keep here."""
    return DATA


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    """The sandbox of this machine, with the benchmark's own limits."""
    return required_sandbox()


@pytest.fixture(scope="session")
def impatient(sandbox: Sandbox) -> Sandbox:
    """The same sandbox with little time, for programs that never end."""
    return Sandbox(sandbox.isolation, Limits(seconds=0.8, memory_mb=256))
