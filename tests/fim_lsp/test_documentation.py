"""The code does what the documents promise."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fim_lsp.settings import Settings
from scripts import catalogue_page, settings_reference
from scripts.generated import ROOT

DOCS = Path(__file__).parents[2] / "docs"


FILES = {**settings_reference.FILES, **catalogue_page.FILES}


@pytest.mark.parametrize("name", FILES)
def test_what_is_generated_is_up_to_date(name):
    text = (ROOT / name).read_text(encoding="utf-8")

    assert text == FILES[name](text), "run `make generate` and commit the files"


def test_what_is_written_by_hand_around_the_generated_table_is_kept():
    text = (
        f"# Mine\n\n{settings_reference.BEGIN}\noutdated\n{settings_reference.END}\n\nMy words.\n"
    )
    page = settings_reference.page(text)

    assert page.startswith("# Mine\n")
    assert page.endswith("\nMy words.\n")
    assert '| `debounceMs` | `"auto"` |' in page
    assert "outdated" not in page


@pytest.mark.parametrize("mark", [settings_reference.BEGIN, settings_reference.END])
def test_a_page_without_a_mark_is_not_overwritten(mark):
    text = f"{settings_reference.BEGIN}\n{settings_reference.END}\n".replace(mark, "")

    with pytest.raises(ValueError, match=re.escape(mark)):
        settings_reference.page(text)


def test_the_page_of_the_settings_can_be_read_at_once():
    assert len((DOCS / "settings.md").read_text(encoding="utf-8").split()) <= 800


def test_a_python_that_is_too_old_is_told_so_in_one_sentence():
    """Old Pythons can read all that is read before that sentence."""
    package = DOCS.parent / "fim_lsp"
    for name in ("__init__.py", "__main__.py"):
        ast.parse((package / name).read_text("utf-8"), feature_version=(3, 7))
    code = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_module('fim_lsp', run_name='__main__')"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=DOCS.parent, capture_output=True, text=True, check=False
    )

    assert run.returncode == 1
    assert run.stderr.startswith("fim-lsp: needs Python 3.10 or later, and this is 3.9 (")
    assert run.stderr.count("\n") == 1


def test_the_page_of_the_editors_has_a_section_for_each():
    text = (DOCS / "editors.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)

    for editor in (
        "VS Code",
        "Neovim 0.12",
        "Neovim 0.11",
        "lsp-mode",
        "Eglot",
        "Helix",
        "Zed",
        "Sublime",
        "Kate",
    ):
        assert any(editor in heading for heading in headings), editor


def test_the_snippets_of_editors_that_are_not_tried_are_well_formed():
    """And name settings that there are."""
    text = (DOCS / "editors.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        json.loads(block)
    settings = re.findall(r"initializationOptions\"?:? *[({] *[:\"](\w+)", text)
    assert settings
    for name in settings:
        assert Settings.parse({name: True})[1] == []
