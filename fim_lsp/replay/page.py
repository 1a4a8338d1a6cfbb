"""Writes the report as one HTML file that loads nothing: a table, and pictures in SVG."""

from __future__ import annotations

from html import escape

from fim_lsp.replay.figures import Figures
from fim_lsp.replay.report import cells
from fim_lsp.replay.session import Replay

_WIDTH, _BAR, _LABEL = 640, 22, 240
_SAVED, _WRONG, _PASSED, _TIME = "#2f7d4f", "#c2513d", "#b9a44c", "#3d6ea8"
_HEADINGS = ("keys", "saved", "shown", "accepted", "wrong", "kept 30 s", "p50 ms", "p95 ms",
             "from cache", "CPU s per 1,000 keys")  # fmt: skip

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
tr.all { font-weight: bold } .note { color: #666 } svg text { font: 12px system-ui, sans-serif }
svg { max-width: 100%; height: auto } .scroll { overflow-x: auto }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b }
  th, td { border-color: #444 } .note { color: #aaa } svg text { fill: #ddd } }
"""


def html(replay: Replay) -> str:
    """Returns the whole page."""
    total = replay.total
    saved = [(script.label, 100 * part.saved_share) for script, part in replay.files]
    parts = [
        "<!doctype html>\n<html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>fim-lsp replay: {escape(replay.model)}</title><style>{_STYLE}</style>",
        f"<h1>fim-lsp replay: {100 * total.saved_share:.1f} % of the keys saved</h1>",
        f"<p>{escape(replay.model)} on {escape(replay.engine)}; {escape(replay.manner)}; "
        f"{len(replay.files)} files, {total.keys:,} keys.</p>",
        "<h2>By language</h2>",
        _table(replay),
        "<h2>What became of the suggestions</h2>",
        _outcomes(total),
        "<h2>From a key to a suggestion</h2>",
        _histogram(total.latencies_ms),
        "<h2>Keys saved, by file</h2>",
        _bars(sorted(saved, key=lambda pair: -pair[1]), " %", _SAVED),
        "<h2>Why nothing was shown</h2>",
        _bars([(name, float(count)) for name, count in total.silences.most_common()], "", _TIME),
        "<h2>Rules that changed or dropped a text</h2>",
        _bars([(name, float(count)) for name, count in total.rules.most_common()], "", _PASSED),
        "<p class=note>The user of a replay knows what they want to write. They take a suggestion "
        "when its first line is what comes next and it saves a key, and delete what else it "
        "brought. Wrong: the first line was not what came next. Passed: right, but not worth a "
        "key. Enter writes the indentation. How it works: docs/replay.md.</p></html>",
    ]
    return "\n".join(parts) + "\n"


def _table(replay: Replay) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("", *_HEADINGS))
    rows = [(name, "", part) for name, part in replay.by_language.items()]
    rows.append(("all", " class=all", replay.total))
    body = "".join(
        f"<tr{kind}><td>{escape(name)}</td>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells(part))
        + "</tr>"
        for name, kind, part in rows
    )
    return f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"


def _outcomes(figures: Figures) -> str:
    """Returns one bar, cut into accepted, passed and wrong."""
    if not figures.shown:
        return "<p>Nothing was shown.</p>"
    parts, x = [], 0.0
    for name, count, colour in (
        ("accepted", figures.accepted, _SAVED),
        ("passed", figures.passed, _PASSED),
        ("wrong", figures.wrong, _WRONG),
    ):
        width = _WIDTH * count / max(1, figures.accepted + figures.passed + figures.wrong)
        title = f"{name}: {count}"
        parts.append(
            f"<rect x='{x:.1f}' y='0' width='{width:.1f}' height='26' fill='{colour}'>"
            f"<title>{title}</title></rect>"
        )
        x += width
    legend = (
        f"accepted {figures.accepted}, passed {figures.passed}, wrong {figures.wrong} "
        f"of {figures.shown} shown"
    )
    return _svg(26, "".join(parts), legend) + f"<p class=note>{legend}</p>"


def _histogram(values: list[float], bins: int = 32) -> str:
    """Returns how often each latency came; the last bar holds all above the 98th percentile."""
    if not values:
        return "<p>Nothing was shown.</p>"
    ordered = sorted(values)
    top = max(1.0, ordered[min(len(ordered) - 1, int(len(ordered) * 0.98))])
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(bins * value / top))] += 1
    step, height = _WIDTH / bins, 120
    bars = "".join(
        f"<rect x='{number * step:.1f}' y='{height * (1 - count / max(counts)):.1f}' "
        f"width='{step - 1:.1f}' height='{height * count / max(counts):.1f}' fill='{_TIME}'>"
        f"<title>{number * top / bins:.0f} to {(number + 1) * top / bins:.0f} ms: {count}</title>"
        "</rect>"
        for number, count in enumerate(counts)
    )
    axis = (
        f"<text x='0' y='{height + 16}'>0 ms</text>"
        f"<text x='{_WIDTH}' y='{height + 16}' text-anchor='end'>{top:.0f} ms and more</text>"
    )
    return _svg(height + 20, bars + axis, "histogram of latencies")


def _bars(values: list[tuple[str, float]], unit: str, colour: str) -> str:
    if not values:
        return "<p>Never.</p>"
    most = max(1e-9, *(abs(value) for _, value in values))
    room = _WIDTH - _LABEL - 70
    rows = []
    for number, (name, value) in enumerate(values):
        y = number * _BAR
        width = room * abs(value) / most
        shown = f"{value:.1f}{unit}" if unit else f"{value:.0f}"
        label = name if len(name) <= 32 else f"…{name[-31:]}"
        fill = colour if value >= 0 else _WRONG
        rows.append(
            f"<text x='{_LABEL - 8}' y='{y + 15}' text-anchor='end'>{escape(label)}</text>"
            f"<rect x='{_LABEL}' y='{y + 4}' width='{width:.1f}' height='{_BAR - 8}' "
            f"fill='{fill}'/>"
            f"<text x='{_LABEL + width + 6:.1f}' y='{y + 15}'>{shown}</text>"
        )
    return _svg(len(values) * _BAR, "".join(rows), "bars")


def _svg(height: float, content: str, title: str) -> str:
    return (
        f"<svg viewBox='0 0 {_WIDTH} {height:.0f}' width='{_WIDTH}' height='{height:.0f}' "
        f"role='img' aria-label='{escape(title)}'>{content}</svg>"
    )
