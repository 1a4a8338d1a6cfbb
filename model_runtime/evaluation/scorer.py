"""Asks an engine for what only evaluation needs of it."""

from __future__ import annotations

from model_runtime.engines import registry
from model_runtime.engines.protocol import Engine, Scorer
from model_runtime.errors import EngineUnavailable


def scorer_of(engine: Engine) -> Scorer:
    """Returns the engine as one that scores texts.

    Raises:
        EngineUnavailable: it only continues them; the message names an engine that scores.
    """
    if isinstance(engine, Scorer):
        return engine
    raise EngineUnavailable(
        f"the engine {engine.name} cannot tell how likely a text is, which evaluation needs; "
        f"choose another one, such as {registry.reference()}"
    )
