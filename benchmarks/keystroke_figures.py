"""Computes the figures of benchmarks.keystroke: counts, table, picture, goals."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.picture import picture

OURS = "fim-lsp"
GOALS = {"llama.cpp Q8_0": 0.7, "llama.cpp Q4_0": 0.9}
"""Limits on what fim-lsp may take with the embedded model, as a share of theirs."""


@dataclass
class Typing:
    """The answers to all traces."""

    keys: int = 0
    waits_ms: list[tuple[float, float]] = field(default_factory=list)
    """Milliseconds to each answer with a text: from the key, and without the debounce."""
    model_ms: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds to each answer of the model, by contestant; without the debounce."""
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    late: int = 0
    """Number of answers that came after the next key was due."""
    outcomes: Counter[str] = field(default_factory=Counter)
    cached_ids: list[int] = field(default_factory=list)
    new_ids: list[int] = field(default_factory=list)
    decoded: list[int] = field(default_factory=list)
    steps_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Milliseconds of each answer of the model, by step of its path."""
    blocks_ms: list[float] = field(default_factory=list)
    """Longest block of the event loop between two keys."""
    ours_ms: list[float] = field(default_factory=list)
    """Longest block, less what other programs took of the processor."""


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns a percentile by the nearest rank, to four digits; NaN of nothing."""
    ordered = sorted(values) or [float("nan")]
    return float(f"{ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]:.4g}")


def both(values: Sequence[float]) -> dict[str, float]:
    """Returns the median and the 95th percentile."""
    return {"p50": percentile(values, 50), "p95": percentile(values, 95)}


def figures(typing: Typing, goals: Mapping[str, float] = GOALS) -> dict[str, Any]:
    """Returns all that the benchmark is about, by name.

    Args:
        typing: the answers.
        goals: most that fim-lsp may take, as a share of another contestant's time.
    """
    ours = both(typing.model_ms[OURS])
    answered = len(typing.waits_ms)
    from_cache = answered - typing.outcomes["text from the model"]
    after = both([wait for _, wait in typing.waits_ms])
    ratios = {
        name: {it: round(ours[it] / both(times)[it], 3) for it in ours}
        for name, times in typing.model_ms.items()
        if name != OURS and times
    }
    block = max(typing.blocks_ms, default=float("nan"))
    ours_block = max(typing.ours_ms, default=float("nan"))
    return {
        "keys": typing.keys,
        "model_answers": len(typing.model_ms[OURS]),
        "model_answer_ms": {name: both(times) for name, times in typing.model_ms.items()},
        "share_of_their_time": ratios,
        "median_of_paired_shares": {
            name: round(
                statistics.median(
                    mine / theirs
                    for mine, theirs in zip(
                        typing.model_ms[OURS], typing.model_ms[name], strict=True
                    )
                ),
                3,
            )
            for name in ratios
        },
        "answer_ms_with_debounce": both([wait for wait, _ in typing.waits_ms]),
        "answer_ms_after_debounce": after,
        "late_share": round(typing.late / typing.keys, 3),
        "share_from_cache": round(from_cache / answered, 3) if answered else None,
        "cpu_seconds_per_1000_keys": {
            name: round(seconds * 1000 / typing.keys, 2)
            for name, seconds in typing.cpu_seconds.items()
        },
        "event_loop_longest_block_ms": {**both(typing.blocks_ms), "max": round(block, 2)},
        "event_loop_longest_block_of_ours_ms": {
            **both(typing.ours_ms),
            "max": round(ours_block, 2),
        },
        "median_tokens": {
            "of the prompt, cached": statistics.median(typing.cached_ids or [0]),
            "of the prompt, new": statistics.median(typing.new_ids or [0]),
            "decoded": statistics.median(typing.decoded or [0]),
        },
        "share_of_prompts_read_anew": round(
            sum(new > 64 for new in typing.new_ids) / max(1, len(typing.new_ids)), 3
        ),
        "median_ms_of_each_step": {
            step: round(statistics.median(times), 2) for step, times in typing.steps_ms.items()
        },
        "outcomes": dict(typing.outcomes.most_common()),
        "goals_met": {
            **{
                f"model answers <= {most} of {name}": max(ratios[name].values()) <= most
                for name, most in goals.items()
                if name in ratios
            },
            "all answers p50 <= 60 ms, p95 <= 150 ms": after["p50"] <= 60 and after["p95"] <= 150,
            "event loop never blocked over 10 ms": ours_block <= 10,
        },
    }


def show(found: dict[str, Any]) -> None:
    """Prints the table, and which goals were met."""
    table = Table("answers of the model", "p50", "p95", "fim-lsp takes", "CPU s a 1,000 keys")
    for name, times in found["model_answer_ms"].items():
        share = found["share_of_their_time"].get(name)
        table.add_row(
            name,
            f"{times['p50']:.1f} ms",
            f"{times['p95']:.1f} ms",
            f"{share['p50']:.2f} and {share['p95']:.2f}" if share else "",
            f"{found['cpu_seconds_per_1000_keys'].get(name, 0):.1f}",
        )
    console = Console(highlight=False)
    console.print(table)
    block = found["event_loop_longest_block_of_ours_ms"]["max"]
    after, with_it = found["answer_ms_after_debounce"], found["answer_ms_with_debounce"]
    console.print(
        f"fim-lsp, {found['keys']} keys: a text after p50 {after['p50']:.1f} ms, "
        f"p95 {after['p95']:.1f} ms, with the debounce {with_it['p50']:.0f} and "
        f"{with_it['p95']:.0f} ms; {found['share_from_cache'] or 0:.0%} from the cache, "
        f"{found['late_share']:.0%} after the next key was due; "
        f"event loop blocked {block:.1f} ms at the most"
    )
    for goal, is_met in found["goals_met"].items():
        console.print(f"  {'met     ' if is_met else 'not met '} {goal}")


def draw(path: Path, model_ms: dict[str, list[float]]) -> None:
    """Draws which share of the model's answers had come after so many milliseconds."""
    with picture(path) as (_, (axis,)):
        draw_shares(axis, model_ms)
        axis.set_xlabel("milliseconds from the key to the text, without the debounce")
        axis.set_ylabel("answers of the model that had come, %")


def draw_shares(axis: Any, times_ms: Mapping[str, Sequence[float]]) -> None:
    """Draws which share of the times of each name is shorter than so many milliseconds."""
    for name, times in times_ms.items():
        ordered = sorted(times)
        shares = [100 * (number + 1) / len(ordered) for number in range(len(ordered))]
        axis.step(ordered, shares, where="post", label=name)
    axis.set_xlim(left=0, right=1.2 * max(percentile(t, 95) for t in times_ms.values()))
    axis.legend()
