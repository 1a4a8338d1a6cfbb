"""Runs a replay: one server for all scripts, one script after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fim_lsp.errors import UsageError
from fim_lsp.replay.editor import COMMAND, Editor
from fim_lsp.replay.figures import Figures
from fim_lsp.replay.rhythm import Rhythm
from fim_lsp.replay.script import Script
from fim_lsp.replay.typist import Manner, Typist

Progress = Callable[[Script, Figures], None]


@dataclass
class Replay:
    """Figures by script, in the order of typing."""

    model: str
    engine: str
    settings: Mapping[str, Any]
    manner: str
    """Pauses and way of accepting, in words."""
    seconds: float = 0.0
    files: list[tuple[Script, Figures]] = field(default_factory=list)

    @property
    def total(self) -> Figures:
        """Returns the figures of all files together."""
        return _sum(figures for _, figures in self.files)

    @property
    def by_language(self) -> dict[str, Figures]:
        """Returns the figures of each language, the most typed first."""
        names = {script.language for script, _ in self.files}
        sums = {
            name: _sum(figures for script, figures in self.files if script.language == name)
            for name in names
        }
        return dict(sorted(sums.items(), key=lambda item: (-item[1].keys, item[0])))


def run(
    scripts: Sequence[Script],
    manner: Manner,
    settings: Mapping[str, Any],
    *,
    description: str,
    recorded_ms: Sequence[float] = (),
    after_each: Progress = lambda script, figures: None,
    root: Path | None = None,
    command: tuple[str, ...] = COMMAND,
) -> Replay:
    """Types all scripts through one server, which `command` starts.

    `root` is the folder that the server may look through, as it was before anything was typed;
    without one it knows only what it is typed.

    Raises:
        FimLspError: the server or its model does not work.
        UsageError: a setting is wrong.
    """
    # What a made-up user takes says nothing of the real one.  An answer that is waited for needs no
    # pause in which another key may follow, and what depends on the clock would give other figures
    # at each run.
    ours: dict[str, Any] = {"learnFromUse": False}
    if manner.is_fast:
        ours |= {"debounceMs": 0, "timeLimitMs": 0, "idleWork": False}
    sent = {**ours, **settings}
    if root is None:  # the files that are typed are there already
        sent["workspaceIndex"] = False
    replay = Replay("", "", settings, description)
    asyncio.run(
        _type_all(
            replay,
            Editor(sent, root or Path.cwd(), command),
            scripts,
            manner,
            recorded_ms,
            after_each,
            bool(sent.get("workspaceIndex", True)),
            root is not None,
        )
    )
    return replay


async def _type_all(
    replay: Replay,
    editor: Editor,
    scripts: Sequence[Script],
    manner: Manner,
    recorded_ms: Sequence[float],
    after_each: Progress,
    is_indexed: bool,
    is_own_tree: bool,
) -> None:
    async with editor:
        if editor.warnings:
            raise UsageError("; ".join(editor.warnings))
        if is_indexed:
            await editor.until_indexed()
        replay.model, replay.engine = editor.status["model"], editor.status["engine"]
        begun = time.monotonic()
        for script in scripts:
            if is_own_tree:  # whoever types a new file has saved it before it is closed
                script.path.parent.mkdir(parents=True, exist_ok=True)
                script.path.touch()
            rhythm = Rhythm(script.label, recorded_ms)
            figures = await Typist(editor, script, manner, rhythm).type()
            replay.files.append((script, figures))
            after_each(script, figures)
        replay.seconds = time.monotonic() - begun


def _sum(parts: Any) -> Figures:
    total = Figures()
    for part in parts:
        total.add(part)
    return total
