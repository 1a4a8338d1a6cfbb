"""Writes the table of docs/catalogue.md from the catalogue of public models.

make generate
"""

from __future__ import annotations

from collections.abc import Callable

from model_runtime.catalogue.entries import CatalogueModel, PublishedScore, catalogue
from scripts.generated import replaced, write

BEGIN = "<!-- Written by `make generate`: change model_runtime/catalogue/models.json instead. -->"
END = "<!-- The end of what is written by `make generate`. -->"

_PAGE = "docs/catalogue.md"
_SHORT = {"HumanEval-infilling, single line, pass@1 through the server": "HumanEval, one line"}
"""Words of the table for the benchmarks that this project runs."""


def page(text: str) -> str:
    """Returns the page with its tables as the catalogue has them.

    Raises:
        ValueError: the page lacks the marks of the begin and end.
    """
    models = catalogue()
    written = f"{_table(models)}\n\n## Sources\n\n{_sources(models)}"
    return replaced(text, BEGIN, END, written, _PAGE)


FILES: dict[str, Callable[[str], str]] = {_PAGE: page}
"""Files below the repository's root, each with the function that brings its text up to date."""


def _table(models: tuple[CatalogueModel, ...]) -> str:
    rows = [
        "| name | weights | download | license | published | measured here |",
        "|---|---:|---:|---|---|---|",
    ]
    for model in models:
        size = f"{model.parameters / 1e9:.1f} B"
        download = f"{model.download_bytes / 1e9:.1f} GB"
        license_ = f"[{model.license}]({model.license_url})"
        terms = license_ if model.is_permissive else f"{license_}, asked for"
        published = _scores(model.scores[:1])
        row = (f"`{model.name}`", size, download, terms, published, _scores(model.measured) or "-")
        rows.append(f"| {' | '.join(row)} |")
    return "\n".join(rows)


def _scores(scores: tuple[PublishedScore, ...]) -> str:
    return ", ".join(f"{_SHORT.get(s.benchmark, s.benchmark)}: {s.value:g} %" for s in scores)


def _sources(models: tuple[CatalogueModel, ...]) -> str:
    """Returns a list of where each score can be read, and why that file of a model was chosen."""
    lines = []
    for model in models:
        read = "; ".join(dict.fromkeys(score.source for score in model.scores))
        lines.append(f"- `{model.name}`: {read}. Chosen: {model.note}.")
        lines += [f"  Measured: {score.source}." for score in model.measured]
    return "\n".join(lines)


if __name__ == "__main__":
    write(FILES)
