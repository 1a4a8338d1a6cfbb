"""The settings that VS Code offers are those of the server, with its defaults, choices and limits."""

import json
import re
from pathlib import Path

import pytest

from fim_lsp.setting import SetBy
from fim_lsp.settings import CLIENT_KEYS, SECTION, SETTINGS, Settings
from scripts.settings_reference import NOT_FOR_VSCODE

ROOT = Path(__file__).parents[2]
PACKAGE = json.loads((ROOT / "vscode-client" / "package.json").read_text("utf-8"))
TEXTS = json.loads((ROOT / "vscode-client" / "package.nls.json").read_text("utf-8"))
SECTIONS = PACKAGE["contributes"]["configuration"]
OFFERED = {
    name.removeprefix(f"{SECTION}."): schema
    for section in SECTIONS
    for name, schema in section["properties"].items()
}
OF_THE_CLIENT = {name for name in OFFERED if name.partition(".")[0] in CLIENT_KEYS}


def test_vscode_offers_each_setting_with_its_default():
    expected = {
        key: setting.as_json(setting.default)
        for key, setting in SETTINGS.items()
        if key not in NOT_FOR_VSCODE
    }

    assert expected == {
        name: schema["default"] for name, schema in OFFERED.items() if name not in OF_THE_CLIENT
    }


def test_a_folder_that_is_not_trusted_makes_no_setting_that_needs_trust():
    restricted = PACKAGE["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]

    assert {f"{SECTION}.{name}" for name in ("interpreter", "command", "address")} <= set(
        restricted
    )
    for key, setting in SETTINGS.items():
        assert (f"{SECTION}.{key}" in restricted) is (setting.set_by is SetBy.TRUSTED_PROJECT)


def test_no_folder_decides_where_code_is_sent():
    own = {key for key, setting in SETTINGS.items() if setting.set_by is SetBy.USER}

    assert {"endpoint", "endpointKeyVariable", "allowRemote"} == own
    assert {"machine"} == {OFFERED[key]["scope"] for key in own}


def test_each_section_of_the_settings_editor_has_a_title_and_an_order():
    assert list(range(1, len(SECTIONS) + 1)) == [section["order"] for section in SECTIONS]
    for section in SECTIONS:
        assert section["title"].strip("%") in TEXTS
        orders = [schema["order"] for schema in section["properties"].values()]
        assert list(range(1, len(orders) + 1)) == orders


def test_each_text_of_the_package_is_there_to_translate_and_none_is_left_over():
    named = set(re.findall(r'"%([\w.]+)%"', json.dumps(PACKAGE)))

    assert named == set(TEXTS)


def visible_texts(node: object) -> list[str]:
    """Returns the texts that VS Code shows to people, wherever they stand in package.json."""
    if isinstance(node, list):
        return [text for one in node for text in visible_texts(one)]
    if not isinstance(node, dict):
        return []
    shown = ("title", "displayName", "description", "markdownDescription", "altText")
    return [
        text
        for key, value in node.items()
        for text in ([value] if key in shown and isinstance(value, str) else visible_texts(value))
    ]


def test_no_text_of_the_package_stands_outside_what_is_translated():
    texts = visible_texts(PACKAGE)

    assert len(texts) > 50
    assert [] == [text for text in texts if not re.fullmatch(r"%[\w.]+%", text)]


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
