r"""Local fill-in-the-middle: text around a cursor in, the missing middle out.

>>> from model_runtime import PromptRequest, Hole, PromptBudget, SamplingParams
>>> from model_runtime import find_model, generate_text, open_engine
>>> model = find_model("default")
>>> engine = open_engine(model)
>>> request = PromptRequest(Hole(prefix="def area(w, h):\n    return ", suffix="\n"))
>>> prompt = model.encoder.prompt(request, PromptBudget(tokens=512))
>>> sampling = SamplingParams(max_tokens=8, stop_ids=model.stop_ids)
>>> type(generate_text(engine, model.tokenizer, prompt.ids, sampling).text)
<class 'str'>
>>> engine.close()

These names are the public interface; modules beneath may change.  Importing this package loads
nothing heavy: each name brings its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_runtime.decoding.generate import Finish, Generation, generate_text
    from model_runtime.decoding.stop_rules import StopRules, wants_single_line
    from model_runtime.engines import open_engine
    from model_runtime.engines.protocol import Engine, GeneratedToken, SamplingParams, TokenStream
    from model_runtime.engines.scripted import ScriptedEngine
    from model_runtime.errors import (
        BundleError,
        ConversionError,
        EngineError,
        EngineUnavailable,
        ModelNotFound,
        ModelRuntimeError,
        PromptTooLong,
    )
    from model_runtime.models.bundle import ModelBundle
    from model_runtime.prompt.encoder import (
        Hole,
        Prompt,
        PromptBudget,
        PromptEncoder,
        PromptRequest,
        Snippet,
    )
    from model_runtime.prompt.format import PromptFormat
    from model_runtime.prompt.orders import FimTokens, Order
    from model_runtime.prompt.tokenizer import FimTokenizer
    from model_runtime.store.adding import add_model
    from model_runtime.store.installed import find as find_model
    from model_runtime.store.installed import list_models

_HOMES = {
    "models.bundle": ("ModelBundle",),
    "store.adding": ("add_model",),
    "store.installed": ("find", "list_models"),
    "engines.protocol": ("Engine", "GeneratedToken", "SamplingParams", "TokenStream"),
    "engines": ("open_engine",),
    "engines.scripted": ("ScriptedEngine",),
    "errors": (
        "BundleError",
        "ConversionError",
        "EngineError",
        "EngineUnavailable",
        "ModelNotFound",
        "ModelRuntimeError",
        "PromptTooLong",
    ),
    "prompt.format": ("PromptFormat",),
    "prompt.orders": ("FimTokens", "Order"),
    "decoding.generate": ("Finish", "Generation", "generate_text"),
    "prompt.encoder": (
        "PromptRequest",
        "Hole",
        "Prompt",
        "PromptBudget",
        "PromptEncoder",
        "Snippet",
    ),
    "decoding.stop_rules": ("StopRules", "wants_single_line"),
    "prompt.tokenizer": ("FimTokenizer",),
}
_RENAMED = {"find_model": "find"}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "BundleError",
    "ConversionError",
    "Engine",
    "EngineError",
    "EngineUnavailable",
    "FimTokenizer",
    "FimTokens",
    "Finish",
    "GeneratedToken",
    "Generation",
    "Hole",
    "ModelBundle",
    "ModelNotFound",
    "ModelRuntimeError",
    "Order",
    "Prompt",
    "PromptBudget",
    "PromptEncoder",
    "PromptFormat",
    "PromptRequest",
    "PromptTooLong",
    "SamplingParams",
    "ScriptedEngine",
    "Snippet",
    "StopRules",
    "TokenStream",
    "add_model",
    "find_model",
    "generate_text",
    "list_models",
    "open_engine",
    "wants_single_line",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    inside = _RENAMED.get(name, name)
    return getattr(import_module(f"{__name__}.{_HOME[inside]}"), inside)


def __dir__() -> list[str]:
    return __all__
