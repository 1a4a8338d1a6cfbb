"""Tells what the processor of this machine can do."""

import platform
from pathlib import Path


def has_exact_int8() -> bool:
    """Tells whether products of 8-bit numbers are added up in 32 bits, as with VNNI."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    file = Path("/proc/cpuinfo")
    return not file.exists() or "vnni" in file.read_text()
