"""From the start of the process to the first completion of a 500-token context, and its memory.

python -m benchmarks.startup
"""

from __future__ import annotations

import time

from benchmarks import record
from benchmarks.context import prefix_of
from benchmarks.editor import Editor
from model_runtime import catalogue

_RUNS = 7
_TOKENS = 500


def main() -> None:
    tokenizer = catalogue.find("default").tokenizer
    prefix = prefix_of(_TOKENS, tokenizer)
    tokens = len(tokenizer.encode(prefix))
    line, character = prefix.count("\n"), len(prefix.rpartition("\n")[2])
    seconds, memory, shown = [], [], 0
    for _ in range(_RUNS):
        started = time.perf_counter()
        with Editor() as editor:
            editor.open("file:///startup.py", prefix)
            editor.wait_until_ready()
            items = editor.complete("file:///startup.py", line, character, trigger=1)
            seconds.append(time.perf_counter() - started)
            memory.append(editor.peak_memory_mb())
            shown += bool(items)
    print(f"start to first completion of {tokens} tokens: {record.spread(seconds)} s")
    print(f"peak resident memory: {record.spread(memory)} MB")
    record.write(
        "startup",
        {
            "context_tokens": tokens,
            "start_to_first_completion_s": record.spread(seconds),
            "peak_resident_mb": record.spread(memory),
            "runs_with_a_suggestion": shown,
            "goal": "<= 1.0 s, <= 250 MB",
        },
        "python -m benchmarks.startup",
    )


if __name__ == "__main__":
    main()
