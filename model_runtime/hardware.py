"""Tells which machine this is: what figures that were measured here depend on."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path
from typing import Any

from model_runtime import cgroups


def usable_cores(root: Path = cgroups.ROOT) -> int:
    """Returns how many cores this process may use: a container may have fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = cgroups.cores(root)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def machine_facts() -> dict[str, Any]:
    """Returns the processor, the cores and the version of this program."""
    from importlib import metadata

    try:
        version = metadata.version("fim-lsp")
    except metadata.PackageNotFoundError:
        version = ""
    return {
        "fim-lsp": version,
        "system": [platform.system(), platform.machine(), processor()],
        "cores": usable_cores(),
    }


def processor() -> str:
    """Returns the processor's model; a cache folder may be shared by several machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("model name")), "")
