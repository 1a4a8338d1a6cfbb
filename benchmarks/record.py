"""Writes a benchmark's figures beside the machine they were taken on, and the date."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Returns what a figure must come with: processor, cores, memory, system, versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(_memory_bytes() / 2**30, 1),
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {
            name: version(name) for name in ("fim-lsp", "ctranslate2", "pygls", "tokenizers")
        },
    }


def write(name: str, figures: dict[str, Any], command: str) -> Path:
    """Writes results/NAME.json and says where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {
        "date": datetime.date.today().isoformat(),
        "command": command,
        "machine": machine(),
        "figures": figures,
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {path.relative_to(RESULTS.parents[1])}")
    return path


def spread(values: Sequence[float]) -> dict[str, float]:
    """Returns minimum, median and maximum, to three digits."""
    return {
        "min": _short(min(values)),
        "median": _short(statistics.median(values)),
        "max": _short(max(values)),
        "runs": len(values),
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
