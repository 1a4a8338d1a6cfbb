"""Prints the tour as text, for pipes, screen readers and terminals without a screen to draw on."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from fim_lsp.tour import filling
from fim_lsp.tour.pane import Pane
from fim_lsp.tour.script import STEPS, Action, Step, places

_LINES_BEFORE = 1

_DONE = {
    Action.TAKE: "Tab takes it.",
    Action.TAKE_WORD: "Ctrl+Right takes one word of it: «{word}».",
    Action.DISMISS: "Esc dismisses it.",
    Action.GO_ON: "Tab would take it.",
}
"""Sentences on a suggestion, by what is tried with it."""


async def show(pane: Pane, console: Console) -> None:
    """Types the file, and prints each step with the suggestion there or the reason for none."""
    for number, (offset, step) in enumerate(places(), 1):
        pane.document.move(offset)
        await pane.type(step.typed, 0)
        console.print(f"{number} of {len(STEPS)}: {step.title}. {step.words}", markup=False)
        _print_lines(pane, console)
        console.print(_told(pane, step), markup=False)
        if step.action in (Action.TAKE, Action.TAKE_WORD):
            pane.accept()
        await filling.complete(pane, offset, step, 0)
    pane.save()


def _told(pane: Pane, step: Step) -> str:
    ghost = pane.document.ghost
    if ghost is not None:
        done = _DONE[step.action].format(word=ghost.word)
        return f"Answered in {pane.answer_ms:.0f} ms. {done}"
    return filling.silence(pane)


def _print_lines(pane: Pane, console: Console) -> None:
    """Prints the line of the cursor and the one before, with the suggestion in « »."""
    document = pane.document
    ghost = f"«{document.ghost.text}»" if document.ghost else "|"
    rest, _, _ = document.after.partition("\n")
    lines = f"{document.before}{ghost}{rest}".split("\n")
    last = document.before.count("\n")
    for index in range(max(0, last - _LINES_BEFORE), len(lines)):
        mark = ">" if index >= last else "|"
        console.print(Text(f"{index + 1:>5} {mark} {lines[index]}"), soft_wrap=True)
