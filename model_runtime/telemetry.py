"""Imports the libraries that report their use to their makers, with the reporting switched off.

ONNX Runtime (from 1.29 on, Linux and macOS) keeps a device id and a database of events under
~/.cache/Microsoft and sends them to its vendor; huggingface_hub puts versions and a guess at the
surrounding program into its requests, and asks the hub for the list that it guesses by; hf_xet
reports transfers, datasets and evaluate count downloads, and Ray reports its clusters.  Each reads
an environment variable for that once, most of them while they are imported.  So the variables are
set here, and nothing else in this package imports these libraries by an `import` statement.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # disable_telemetry_events() comes too late: it was measured
    "HF_HUB_DISABLE_TELEMETRY": "1",  # transformers and hf_xet read it, too
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # datasets and evaluate
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment variables, and their values that mean silence; processes started later get them."""

_HUB_CONSTANTS = "huggingface_hub.constants"


def import_silenced(module: str) -> Any:
    """Imports a module of a library that reports its use, so that it does not.

    Raises:
        ImportError: it is not installed.
    """
    os.environ.update(SWITCHES)
    if constants := sys.modules.get(_HUB_CONSTANTS):  # read already: by datatrove, or by our host
        constants.HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]
    return import_module(module)
