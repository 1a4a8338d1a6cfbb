"""What the documents promise is what the code does."""

import ast
import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from fim_lsp.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def test_every_setting_is_documented_with_its_default():
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE))
    documented = {re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", name): rows[name] for name in rows}
    expected = {field.name: json.dumps(field.default) for field in fields(Settings)}
    expected["languages"] = "{}"  # kept as pairs, written as an object

    assert expected == {name: documented[name] for name in expected}


def test_a_python_that_is_too_old_is_told_so_in_one_sentence():
    """What is read before that sentence is read by old Pythons too."""
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
