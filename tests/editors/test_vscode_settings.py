"""The settings that VS Code offers are those of the server, with its defaults, choices and limits."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from fim_lsp.settings import CLIENT_KEYS, SECTION, Settings

ROOT = Path(__file__).parents[2]
PACKAGE = json.loads((ROOT / "vscode-client" / "package.json").read_text("utf-8"))
OFFERED = {
    name.removeprefix(f"{SECTION}."): schema
    for name, schema in PACKAGE["contributes"]["configuration"]["properties"].items()
}
OF_THE_CLIENT = {name for name in OFFERED if name.partition(".")[0] in CLIENT_KEYS}
NOT_FOR_VSCODE = {"completionFallback"}  # for editors without inline completion


def camel_case(name: str) -> str:
    return re.sub("_(.)", lambda match: match[1].upper(), name)


def outside(default: object, name: str) -> object:
    return {} if name == "languages" else list(default) if isinstance(default, tuple) else default


def test_vscode_offers_each_setting_with_its_default():
    expected = {
        name: outside(field.default, name)
        for field in fields(Settings)
        if (name := camel_case(field.name)) not in NOT_FOR_VSCODE
    }

    assert expected == {
        name: schema["default"] for name, schema in OFFERED.items() if name not in OF_THE_CLIENT
    }


def allowed(schema: dict) -> list[object]:
    """Values that the schema lets through, at its edges."""
    return [schema["default"], *schema.get("enum", [])] + [
        schema[edge] for edge in ("minimum", "maximum") if edge in schema
    ]


def refused(schema: dict) -> list[object]:
    """Values just past its edges."""
    past = [
        schema[edge] + step for edge, step in (("minimum", -1), ("maximum", 1)) if edge in schema
    ]
    return past + ["none of them"] * ("enum" in schema) + [0.5] * (schema["type"] == "integer")


@pytest.mark.parametrize("name", sorted(set(OFFERED) - OF_THE_CLIENT))
def test_vscode_and_the_server_agree_on_what_is_right(name):
    for value in allowed(OFFERED[name]):
        assert [] == Settings.parse({name: value})[1]
    for value in refused(OFFERED[name]):
        assert Settings.parse({name: value})[1], f"the server takes {name} = {value}"


def test_the_extension_and_the_server_have_the_same_version_and_oldest_python():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    interpreter = (ROOT / "vscode-client" / "src" / "interpreter.ts").read_text("utf-8")

    assert f'version = "{PACKAGE["version"]}"' in project
    oldest = re.search(r"MIN_PYTHON = '(.+)'", interpreter)[1]
    assert f'requires-python = ">={oldest}"' in project


@pytest.mark.parametrize("lock", ["vscode-client", "tests/editors/vscode"])
def test_lock_files_name_no_registry(lock):
    assert "resolved" not in (ROOT / lock / "package-lock.json").read_text("utf-8")
