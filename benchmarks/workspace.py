"""Looking through a workspace: time, memory, and what the event loop notices of it.

python -m benchmarks.workspace                    a made-up project of 100,000 files
python -m benchmarks.workspace --root FOLDER      another one
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.record import write
from fim_lsp.completion.line_index import MAX_LINES
from fim_lsp.completion.line_ngrams import LineNgramSuggester
from fim_lsp.workspace.project import Project

_FOLDERS, _FILES_OF_EACH = 1000, 100
_TEXT = """import os


class Thing{folder}x{file}:
    def run(self):
        return {file}


def helper_{folder}_{file}(value):
    total = value * {file}
    return total
"""


def make(root: Path) -> None:
    """Writes 100,000 small modules."""
    for folder in range(_FOLDERS):
        (root / f"part{folder}").mkdir()
        for file in range(_FILES_OF_EACH):
            path = root / f"part{folder}" / f"module{file}.py"
            path.write_text(_TEXT.format(folder=folder, file=file))


async def look_through(root: Path) -> dict[str, object]:
    """Returns the time that it takes, with the memory of the project."""
    recall, project = LineNgramSuggester(), Project()
    resident, begun, busy = _resident_mb(), time.monotonic(), time.thread_time()
    done: list[int] = []
    project.look_through([str(root)], (), MAX_LINES, recall.learn_file, done.append)
    gaps: list[float] = []
    last = busy
    while not done:
        await asyncio.sleep(0.001)
        now = time.thread_time()
        gaps.append(now - last)
        last = now
    gaps.sort()
    return {
        "files": len(project.index),
        "lines_of_the_memory": recall.index.num_lines,
        "seconds": round(time.monotonic() - begun, 1),
        "server_processor_seconds": round(time.thread_time() - busy, 2),
        "server_grows_by_mb": round(_resident_mb() - resident, 1),
        "event_loop_busy_at_once_ms": {
            "median": round(gaps[len(gaps) // 2] * 1e3, 2),
            "p99": round(gaps[int(len(gaps) * 0.99)] * 1e3, 2),
            "max": round(gaps[-1] * 1e3, 2),
        },
        "reader_processor_seconds": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, 1),
        "reader_peak_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3, 1),
    }


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, help="a folder to look through")
    args = parser.parse_args()
    if args.root:
        figures = asyncio.run(look_through(args.root.resolve()))
    else:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder))
            figures = asyncio.run(look_through(Path(folder)))
    figures["goal"] = "<= 200 MB, the event loop never held for 20 ms"
    command = "python -m benchmarks.workspace" + (" --root FOLDER" if args.root else "")
    write("workspace", figures, command)


if __name__ == "__main__":
    main()
