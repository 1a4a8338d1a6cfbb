"""Makes a bundle in a process of its own: what a stranger's files do to it, they do to it alone.

    python -m model_runtime.store.conversion_process < request

The request is one line of JSON; its writer keeps standard input open as long as the work is wanted.
Standard output has one object of JSON a line:

    {"say": "reading ./model"}                        a sentence at a step
    {"step": "writing ...", "share": 0.4, "whole": 0.2}    how far a step is, and all of the work
    {"report": {...}}                                 last: what was done
    {"problem": "one sentence", "kind": "GgufError"}  last: why nothing was done
    {"unexpected": "KeyError: 'x'"}                   last: a fault of this program
    {"out_of": "memory"}                              last: its limit was reached

It may write in the folder of models, in the cache and in the temporary folder, and not connect to
anybody, where the system can forbid the rest.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from platformdirs import user_cache_path

from model_runtime import landlock
from model_runtime.errors import ModelRuntimeError, brief
from model_runtime.progress import told_to, whole
from model_runtime.store.converting import convert
from model_runtime.store.options import AddOptions

if TYPE_CHECKING:
    from model_runtime.importers.huggingface import ConversionReport

_SECONDS_TO_UNWIND = 3.0


def main() -> int:
    """Answers the request on standard input; returns the exit code."""
    # What a library prints belongs to nobody who reads the objects.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        request = json.loads(sys.stdin.readline())
        limit(request["limits"])
        _stay_in(Path(request["target"]).parent)
        # A shell starts what runs in the background with interrupts ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            threading.Thread(target=_end_with_the_parent, daemon=True).start()
            _write(answers, answer(request, answers))
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            return 1
    return 0


def limit(most: Mapping[str, int]) -> None:
    """Lowers limits of this process for good, where the system has them.

    Args:
        most: names of `resource.RLIMIT_*` to numbers; one that is lower already stays.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, number in most.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None:
            continue
        now = [number if one == resource.RLIM_INFINITY else min(number, one)
               for one in resource.getrlimit(kind)]  # fmt: skip
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (now[0], now[1]))


def _stay_in(models: Path) -> None:
    """Gives up writing anywhere but in the folders that a conversion needs, and TCP altogether."""
    folders = (models, user_cache_path("fim-lsp", appauthor=False))
    for folder in folders:
        with suppress(OSError):  # what cannot be made will not be written, which is told there
            folder.mkdir(parents=True, exist_ok=True)
    # `tempfile.gettempdir` would write a file there to see whether it can.
    temporary = Path(os.environ.get("TMPDIR") or "/tmp")
    landlock.write_only_in((*folders, temporary, Path(os.devnull)))


def answer(request: Mapping[str, Any], answers: IO[str]) -> dict[str, Any]:
    """Makes the bundle that is asked for; returns the last object of the answer.

    Args:
        request: `source`, `target`, `options`, `origin` and `license` of `convert`.
        answers: takes the steps.
    """
    try:
        with told_to(lambda what, share: _write(answers, _as_step(what, share))):
            report = convert(
                Path(request["source"]),
                Path(request["target"]),
                AddOptions(**request["options"]),
                lambda sentence: _write(answers, {"say": sentence}),
                request["origin"],
                request["license"],
            )
        return {"report": _as_json(report)}
    except ModelRuntimeError as error:
        return {"problem": brief(str(error)), "kind": type(error).__name__}
    except MemoryError:
        return {"out_of": "memory"}
    except BrokenPipeError:
        raise
    except Exception as error:
        return {"unexpected": brief(f"{type(error).__name__}: {error}")}


def _as_step(what: str, share: float) -> dict[str, Any]:
    return {"step": what, "share": share, "whole": whole(share)}


def _as_json(report: ConversionReport) -> dict[str, Any]:
    """Returns the fields of a report; whoever reads them makes a path of `path` again."""
    return asdict(report) | {"path": str(report.path)}


def _write(answers: IO[str], value: Mapping[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def _end_with_the_parent() -> None:
    """Ends this process when the one that asked has gone, or wants the work no longer."""
    with suppress(OSError, ValueError):
        os.read(0, 1)
    _thread.interrupt_main()
    time.sleep(_SECONDS_TO_UNWIND)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
