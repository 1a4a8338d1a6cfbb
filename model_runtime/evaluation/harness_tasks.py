"""The language tasks of the reference model's card, as lm-evaluation-harness names them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HarnessTask:
    """A task of the harness, and where its rows lie."""

    name: str
    yaml: str
    """The harness's own task file, relative to its folder of tasks."""
    split: str
    file: str
    """File with the rows, in the folder that the user names."""


TASKS = {
    task.name: task
    for task in (
        HarnessTask("arc_easy", "arc/arc_easy.yaml", "test", "arc_easy.test.jsonl"),
        HarnessTask("arc_challenge", "arc/arc_challenge.yaml", "test", "arc_challenge.test.jsonl"),
        HarnessTask(
            "lambada_openai", "lambada/lambada_openai.yaml", "test", "lambada_openai.test.jsonl"
        ),
        HarnessTask("piqa", "piqa/piqa.yaml", "validation", "piqa.validation.jsonl"),
        HarnessTask("sciq", "sciq/sciq.yaml", "validation", "sciq.validation.jsonl"),
        HarnessTask(
            "wsc", "super_glue/wsc/default.yaml", "validation", "wsc_superglue.validation.jsonl"
        ),
        HarnessTask(
            "winogrande", "winogrande/default.yaml", "validation", "winogrande_xl.validation.jsonl"
        ),
    )
}
"""Every task by its name."""
