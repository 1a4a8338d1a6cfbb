"""Engines continue token ids; they share one protocol and stand in one table (`registry`).

Nothing heavy is imported here; a backend is imported when an engine is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_runtime.engines.protocol import Engine
    from model_runtime.models.bundle import ModelBundle


def open_engine(
    model: ModelBundle, *, engine: str = "auto", device: str = "auto", threads: int = 0
) -> Engine:
    """Opens a model.

    Args:
        model: the bundle.
        engine: a name of `registry.names()`, or "auto" for the one that is fastest on this machine:
            that is measured once, and remembered.
        device: "cpu", "cuda", or "auto" for the engine's own choice.
        threads: 0 lets the engine choose.

    Raises:
        EngineUnavailable: not installed, not known, or unable to run here; says what to do.
        BundleError: the weights are damaged.
    """
    from model_runtime.engines import registry
    from model_runtime.engines.kind import AUTO, EngineOptions

    options = EngineOptions(device, threads)
    if engine != AUTO:
        return registry.open_named(engine, model, options)
    from model_runtime.engines.auto_select import open_auto_selected

    return open_auto_selected(model, options)[0]
