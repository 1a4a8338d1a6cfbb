"""Describes one engine of the table, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_runtime.engines.endpoint import Endpoint
    from model_runtime.engines.protocol import Engine
    from model_runtime.models.bundle import ModelBundle

AUTO = "auto"
"""Stands for the engine that is fastest here by measurement, or for any device."""
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Says how an engine is opened; equal for all engines."""

    device: str = AUTO
    """One of `DEVICES`, or "auto" for the engine's own choice."""
    threads: int = 0
    """Threads of the engine; 0 lets it choose."""
    kept_bytes: int | None = None
    """Memory for what has been read of texts; None fits it to this machine."""
    endpoint: Endpoint | None = None
    """The server that runs the model, for engines that are servers; None for their usual ones."""


def _supports_all(model: ModelBundle) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """Describes one engine."""

    name: str
    """Name as in the setting `engine`."""
    package: str
    """Distribution that the engine needs; its version is that of the engine's files."""
    open: Callable[[ModelBundle, EngineOptions], Engine]
    """Opens a model; raises EngineUnavailable or BundleError, and ImportError for no backend."""
    devices: tuple[str, ...] = ("cpu",)
    """Devices that the engine runs on."""
    extra: str = ""
    """Extra of fim-lsp that installs the package; empty where every install has it."""
    supports: Callable[[ModelBundle], str] = _supports_all
    """Returns why the engine cannot run a model; empty where it can."""
    auto_devices: tuple[str, ...] = ()
    """Devices for which `auto` considers the engine; others are far faster on the rest."""
    is_remote: bool = False
    """True where the engine is a server, so that no weights are needed here."""
    has_seeds: bool = True
    """True where a seed makes sampling reproducible."""

    @property
    def version(self) -> str:
        """Version of the installed package; empty where it is not installed."""
        from importlib import metadata

        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return ""

    @property
    def install_command(self) -> str:
        """Command that installs what the engine needs."""
        return (
            f"pip install 'fim-lsp[{self.extra}]'" if self.extra else f"pip install {self.package}"
        )
