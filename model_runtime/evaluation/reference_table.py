"""The table of the model card of CarperAI/FIM-NeoX-1.3B, the reference model; ours is printed
beside.

Figures: the card's; all accuracies but lambada (perplexity).  The card does not state the split of
the infilling benchmark, the number of samples, or whether accuracies are length-normalized, and it
used a harness of 2022: models compare within one harness only, never by these decimals.  An empty
answer passes 2.61 % of the single-line tasks, so the first row lies below doing nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE_MODELS = ("AR-1.3B", "FIM-NeoX-1.3B", "FIM-1.3B-alibi")
INFILLING = "HumanEval-infilling"


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One row of the card's table, as a benchmark and its figures."""

    name: str
    """Name of the benchmark, as the harness has it."""
    measure: str
    """Name of our measure that stands beside it."""
    card: tuple[float, float, float]
    """Figures of the card, in the order of `REFERENCE_MODELS`."""
    chance: float | None
    """Figure of an answer drawn blindly; None where there is no such thing."""
    note: str = ""


ROWS = (
    ReferenceRow(
        INFILLING,
        "pass@10",
        (0.0029, 0.0155, 0.0029),
        None,
        "the card: pass@10, T 0.8, split not stated",
    ),
    ReferenceRow("arc_easy", "acc", (0.5816, 0.5829, 0.5589), 0.25),
    ReferenceRow("arc_challenge", "acc", (0.2465, 0.2457, 0.2500), 0.25),
    ReferenceRow("lambada_openai", "perplexity", (7.03, 7.08, 7.49), None, "less is better"),
    ReferenceRow("piqa", "acc", (0.7116, 0.7029, 0.6926), 0.5),
    ReferenceRow(
        "sciq", "acc", (0.850, 0.861, 0.856), 0.25, "ours on validation, the card's on test"
    ),
    ReferenceRow("wsc", "acc", (0.3654, 0.3654, 0.3654), 0.5, "the card's is `yes` throughout"),
    ReferenceRow("winogrande", "acc", (0.5651, 0.5390, 0.5406), 0.5),
)
