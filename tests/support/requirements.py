"""Decides what a test does that needs something which this machine lacks.

A developer's machine may lack a sandbox or PyTorch, and the test is skipped.  Continuous
integration names what it must have, so that nothing there is skipped in silence:

    FIM_LSP_REQUIRE=sandbox,torch,transformers pytest
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from model_runtime.evaluation.sandbox import Sandbox

VARIABLE = "FIM_LSP_REQUIRE"


def lacking(requirement: str, reason: str) -> None:
    """Skips the test, or fails it where the requirement is demanded.

    Args:
        requirement: a word that `FIM_LSP_REQUIRE` may contain, such as "sandbox".
        reason: why this machine lacks it.
    """
    if requirement in os.environ.get(VARIABLE, "").split(","):
        pytest.fail(f"{VARIABLE} demands {requirement}, which is missing: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def required_module(name: str) -> ModuleType:
    """Imports a module that a test needs, or calls `lacking` with its name."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        lacking(name, str(error))
        raise


def required_sandbox() -> Sandbox:
    """Opens the sandbox in which programs that a model wrote are run, or calls `lacking`."""
    from model_runtime.evaluation.errors import SandboxUnavailable
    from model_runtime.evaluation.sandbox import Sandbox

    try:
        return Sandbox.open()
    except SandboxUnavailable as error:
        lacking("sandbox", str(error))
        raise
