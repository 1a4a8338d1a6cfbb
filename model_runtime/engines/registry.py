"""The table of engines: the only place that names them.

Settings, command lines, `fim-lsp doctor`, automatic selection and the fall-back after a failure all
read it.  An engine is added by its own folder and one entry here, or from outside by `register`.  A
backend is imported when an engine is opened, never before.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from model_runtime.engines.kind import AUTO, DEVICES, EngineKind, EngineOptions
from model_runtime.errors import EngineUnavailable

if TYPE_CHECKING:
    from model_runtime.engines.protocol import Engine
    from model_runtime.models.bundle import ModelBundle


def _by_decoder(module: str) -> Callable[[ModelBundle], str]:
    """Returns what asks `supports` of a module, which reads the decoder and imports no backend."""

    def supports(model: ModelBundle) -> str:
        reason: str = import_module(module).supports(model.manifest.decoder)
        return reason

    return supports


def _lazily(module: str) -> Callable[[ModelBundle, EngineOptions], Engine]:
    """Returns the function `open_model` of a module that is imported when it is called."""

    def open_model(model: ModelBundle, options: EngineOptions) -> Engine:
        opened: Engine = import_module(module).open_model(model, options)
        return opened

    return open_model


def _server(name: str, module: str) -> EngineKind:
    """Returns the engine of servers that speak one dialect of HTTP."""
    return EngineKind(
        name=name,
        package="httpx",
        devices=DEVICES,  # those are the server's own matter
        is_remote=True,
        has_seeds=False,
        open=_lazily(f"model_runtime.engines.remote.{module}"),
    )


_KINDS = {
    kind.name: kind
    for kind in (  # the first that can run a model is taken where nothing is measured
        EngineKind(
            name="onnx",
            package="onnxruntime",
            auto_devices=("cpu",),
            supports=_by_decoder("model_runtime.engines.onnx.support"),
            open=_lazily("model_runtime.engines.onnx.engine"),
        ),
        EngineKind(
            name="ctranslate2",
            package="ctranslate2",
            extra="ctranslate2",
            devices=("cpu", "cuda"),
            auto_devices=("cpu",),
            has_seeds=False,
            supports=_by_decoder("model_runtime.engines.ctranslate2.support"),
            open=_lazily("model_runtime.engines.ctranslate2.engine"),
        ),
        EngineKind(
            name="torch",
            package="torch",
            extra="torch",
            devices=("cpu", "cuda"),
            auto_devices=("cuda",),
            supports=_by_decoder("model_runtime.engines.torch.support"),
            open=_lazily("model_runtime.engines.torch.engine"),
        ),
        _server("llama-server", "llama_server"),
        _server("vllm", "vllm"),
        _server("openai", "openai"),
        _server("ollama", "ollama"),
    )
}
_REFERENCE = {"cpu": "ctranslate2", "cuda": "torch"}
PREDICTED = "onnx"
"""Name of the engine whose products measure a machine, and whose times are predicted."""


def register(kind: EngineKind) -> Callable[[], None]:
    """Adds an engine to the table, in place of one of the same name.

    Returns:
        A function that restores the table.
    """
    before = _KINDS.get(kind.name)
    _KINDS[kind.name] = kind

    def restore() -> None:
        if before is None:
            _KINDS.pop(kind.name, None)
        else:
            _KINDS[kind.name] = before

    return restore


def kinds() -> list[EngineKind]:
    """Returns all engines, the preferred ones first."""
    return list(_KINDS.values())


def names() -> list[str]:
    """Returns the engines' names in alphabetical order; "auto" is not among them."""
    return sorted(_KINDS)


def find(name: str) -> EngineKind:
    """Returns the engine of a name.

    Raises:
        EngineUnavailable: there is none; the message lists those that there are.
    """
    if name not in _KINDS:
        known = ", ".join((AUTO, *names()))
        raise EngineUnavailable(f"engine {name!r} is not one of {known}")
    return _KINDS[name]


def candidates(device: str = AUTO) -> list[EngineKind]:
    """Returns the engines among which `auto` chooses on a device, the preferred one first.

    Raises:
        EngineUnavailable: there is no such device.
    """
    wanted = "cpu" if device == AUTO else device
    if wanted not in DEVICES:
        raise EngineUnavailable(_unknown_device(device))
    return [kind for kind in kinds() if wanted in kind.auto_devices]


def fallbacks(broken: str) -> list[str]:
    """Returns the engines that may take the place of one that broke, the preferred one first."""
    return [kind.name for kind in candidates("cpu") if kind.name != broken and kind.version]


def reference(device: str = AUTO) -> str:
    """Returns the engine whose figures evaluation reports unless it is told otherwise.

    Unlike the fastest one it is the same on every machine, so that figures compare.
    """
    return _REFERENCE["cpu" if device == AUTO else device]


def ignores_seeds(name: str) -> bool:
    """Tells whether sampling differs from run to run also where a seed is given."""
    return name in _KINDS and not _KINDS[name].has_seeds


def open_named(name: str, model: ModelBundle, options: EngineOptions) -> Engine:
    """Opens a model with the engine of a name.

    Raises:
        EngineUnavailable: the engine is not known; else as `open_kind`.
        BundleError: the weights are damaged.
    """
    return open_kind(find(name), model, options)


def open_kind(kind: EngineKind, model: ModelBundle, options: EngineOptions) -> Engine:
    """Opens a model with an engine.

    Raises:
        EngineUnavailable: the engine is not installed, or unable to run this model here; the
            message says what to do.
        BundleError: the weights are damaged.
    """
    if options.device not in (AUTO, *kind.devices):
        raise EngineUnavailable(_why_not_on(options.device, kind))
    if not kind.is_remote and not model.has_weights:
        servers = ", ".join(one.name for one in kinds() if one.is_remote)
        raise EngineUnavailable(
            f"{model.manifest.name} was added without its weights, so a server has to run it; set "
            f"engine to one of {servers}, or add it anew"
        )
    if reason := kind.supports(model):
        able = [one.name for one in kinds() if not one.is_remote and not one.supports(model)]
        remedy = f"set engine to {' or '.join(able)}" if able else "update fim-lsp"
        raise EngineUnavailable(f"the engine {kind.name} cannot run this model: {reason}; {remedy}")
    try:
        return kind.open(model, options)
    except ImportError as error:
        if any(sign in str(error) for sign in _NO_MEMORY):
            raise EngineUnavailable(
                f"there is not enough memory to load the engine {kind.name}; close something else"
            ) from error
        remedy = kind.install_command
        if not kind.extra:
            remedy = f"pip install --force-reinstall {kind.package}"
        raise EngineUnavailable(
            f"the engine {kind.name} cannot be imported ({error}); install it with: {remedy}"
        ) from error


_NO_MEMORY = ("failed to map segment", "cannot allocate memory", "Cannot allocate memory")
"""Signs of the system's linker, of a library for which there is no room (glibc, dl-load.c)."""


def _why_not_on(device: str, kind: EngineKind) -> str:
    if device not in DEVICES:
        return _unknown_device(device)
    able = [one.name for one in kinds() if not one.is_remote and device in one.devices]
    others = " or ".join(able)
    return (
        f"the engine {kind.name} does not run on {device}; "
        f"set device to {kind.devices[0]}, or engine to {others}"
    )


def _unknown_device(device: str) -> str:
    return f"device {device!r} is not one of {', '.join((AUTO, *DEVICES))}"
