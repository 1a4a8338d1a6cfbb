"""What the documents promise is what the code does."""

import json
import re
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
