"""Engines: CTranslate2, ONNX Runtime and PyTorch behind one protocol, and a scripted one for tests.

Backends are imported when an engine is opened, never before.
"""

from __future__ import annotations

from model_runtime.engines.protocol import Engine
from model_runtime.errors import EngineUnavailable
from model_runtime.models.bundle import ModelBundle

ENGINES = ("auto", "ctranslate2", "onnx", "torch")
DEVICES = ("auto", "cpu", "cuda")


def open_engine(
    bundle: ModelBundle, *, engine: str = "auto", device: str = "auto", threads: int = 0
) -> Engine:
    """Load a bundle into an engine.

    Args:
        bundle: the model.
        engine: "auto" is CTranslate2, but PyTorch where a GPU is asked for.
        device: "auto" is the CPU for CTranslate2; PyTorch takes a GPU if there is one.
        threads: 0 lets the engine choose.

    Raises:
        EngineUnavailable: not installed, not known, or unable to run here; says what to do.
        BundleError: the weights are damaged.
    """
    for name, value, known in (("engine", engine, ENGINES), ("device", device, DEVICES)):
        if value not in known:
            raise EngineUnavailable(f"{name} {value!r} is not one of {', '.join(known)}")
    if engine == "torch" or (engine == "auto" and device == "cuda"):
        return _open_torch(bundle, device, threads)
    if engine == "onnx":
        return _open_onnx(bundle, device, threads)
    return _open_ctranslate2(bundle, device, threads)


def _open_ctranslate2(bundle: ModelBundle, device: str, threads: int) -> Engine:
    try:
        from model_runtime.engines.ctranslate2.engine import CTranslate2Engine
    except ImportError as error:
        raise EngineUnavailable(
            f"CTranslate2 cannot be imported ({error}); install it again with: "
            "pip install --force-reinstall ctranslate2"
        ) from error
    return CTranslate2Engine.open(
        bundle, device="cpu" if device == "auto" else device, threads=threads
    )


def _open_onnx(bundle: ModelBundle, device: str, threads: int) -> Engine:
    try:
        from model_runtime.engines.onnx.engine import OnnxEngine
    except ImportError as error:
        raise EngineUnavailable(
            f"ONNX Runtime cannot be imported ({error}); install it again with: "
            "pip install --force-reinstall onnxruntime"
        ) from error
    return OnnxEngine.open(bundle, device=device, threads=threads)


def _open_torch(bundle: ModelBundle, device: str, threads: int) -> Engine:
    try:
        from model_runtime.engines.torch.engine import TorchEngine
    except ImportError as error:
        raise EngineUnavailable(
            f"the engine torch needs PyTorch ({error}); install it with: "
            "pip install 'fim-lsp[torch]'"
        ) from error
    return TorchEngine.open(bundle, device=device, threads=threads)
