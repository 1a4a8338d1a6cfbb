"""The files for the lists of others have the form that these lists ask for, and say one thing."""

import json
import re
from pathlib import Path

import pytest

from fim_lsp import version
from fim_lsp.settings import Settings

ROOT = Path(__file__).parents[2]
FILES = ROOT / "docs" / "distribution"
LSP4IJ = FILES / "lsp4ij"
MASON_CATEGORIES = {"Compiler", "DAP", "Formatter", "LSP", "Linter", "Runtime"}
LSP4IJ_KEYS = {"id", "name", "programArgs", "expandConfiguration", "fileTypeMappings"}
"""Keys of template.json that LSP4IJ 0.20 reads, but for those that we have no use for."""
LSP4IJ_FILES = {
    "template.json",
    "settings.json",
    "initializationOptions.json",
    "experimental.json",
    "clientSettings.json",
    "installer.json",
}


def read_json(path: Path):
    return json.loads(path.read_text("utf-8"))


def lua_list(path: Path, name: str) -> list[str]:
    """Returns the texts of a list in a table of Lua, in lists within it as well."""
    found = re.search(rf"^  {name} = \{{(.*?)\}},?$", path.read_text("utf-8"), re.M | re.S)
    assert found
    return re.findall(r"'([^']+)'", found[1])


def mason() -> dict[str, list[str]]:
    """Returns the keys of package.yaml with their values; the file uses this little of YAML."""
    lines = (FILES / "mason-registry" / "package.yaml").read_text("utf-8").splitlines()
    assert lines.pop(0) == "---"
    found: dict[str, list[str]] = {}
    for line in filter(None, lines):
        if key := re.fullmatch(r"(\w+):(?: (.+))?", line):
            found[key[1]] = [] if key[2] in (None, "[]") else [key[2]]
        else:
            found[key_of(found)].append(re.fullmatch(r" +(?:- )?(.+)", line)[1])
    return found


def key_of(found: dict[str, list[str]]) -> str:
    return list(found)[-1]


@pytest.mark.parametrize("name", ["cmd", "filetypes", "root_markers"])
def test_nvim_lspconfig_says_what_the_plugin_says(name):
    of_plugin = lua_list(ROOT / "nvim-client" / "lsp" / "fim_lsp.lua", name)

    assert of_plugin == lua_list(FILES / "nvim-lspconfig" / "lsp" / "fim_lsp.lua", name)


def test_nvim_lspconfig_can_make_documentation_of_it():
    """Its docgen takes the comment after `@brief`; lines have at most 120 characters there."""
    lines = (FILES / "nvim-lspconfig" / "lsp" / "fim_lsp.lua").read_text("utf-8").splitlines()

    assert lines[:2] == ["---@brief", "---"]
    assert lines[lines.index("return {") - 1] == "---@type vim.lsp.Config"
    assert max(map(len, lines)) <= 120


def test_mason_finds_all_that_its_schema_asks_for():
    package = mason()

    assert {
        "name",
        "description",
        "homepage",
        "licenses",
        "languages",
        "categories",
        "source",
        "bin",
    } <= set(package)
    assert set(package["categories"]) <= MASON_CATEGORIES
    assert package["licenses"] == ["Apache-2.0"]
    assert package["source"] == [f"id: pkg:pypi/fim-lsp@{version()}"]
    assert package["bin"] == ["fim-lsp: pypi:fim-lsp"]
    assert package["neovim"] == ["lspconfig: fim_lsp"]
    assert len(package["description"][0]) <= 120


def test_melpa_finds_the_headers_that_it_asks_for():
    text = (FILES / "melpa" / "fim-lsp.el").read_text("utf-8")

    assert re.match(r";;; fim-lsp\.el --- .{1,60} -\*- lexical-binding: t; -\*-\n", text)
    assert re.search(rf"^;; Version: {re.escape(version())}$", text, re.M)
    assert re.search(r'^;; Package-Requires: \(\(emacs "\d+\.\d+"\) \(lsp-mode "10', text, re.M)
    for header in ("Author", "URL", "Keywords", "SPDX-License-Identifier"):
        assert re.search(rf"^;; {header}: \S", text, re.M), header
    assert text.endswith("(provide 'fim-lsp)\n;;; fim-lsp.el ends here\n")
    for heading in (";;; Commentary:", ";;; Code:", ";;;###autoload"):
        assert f"\n{heading}\n" in text
    recipe = (FILES / "melpa" / "recipe").read_text("utf-8")
    [file] = re.findall(r':files \("([^"]+)"\)', recipe)
    assert (ROOT / file).exists()


def test_lsp4ij_reads_every_file_of_its_template():
    assert {path.name for path in LSP4IJ.iterdir()} == LSP4IJ_FILES
    template = read_json(LSP4IJ / "template.json")
    assert set(template) == LSP4IJ_KEYS
    assert set(template["programArgs"]) == {"default", "windows"}
    for mapping in template["fileTypeMappings"]:
        assert set(mapping) == {"fileType", "languageId"}
        assert set(mapping["fileType"]) == {"name", "patterns"}
        assert all(pattern.startswith("*.") for pattern in mapping["fileType"]["patterns"])


@pytest.mark.parametrize(
    "settings",
    [
        read_json(LSP4IJ / "settings.json")["fimLsp"],
        read_json(LSP4IJ / "initializationOptions.json"),
        read_json(FILES / "coc.nvim" / "coc-settings.json")["languageserver"]["fim-lsp"]["settings"]["fimLsp"],
    ],
    ids=["lsp4ij", "lsp4ij at the start", "coc.nvim"],
)  # fmt: skip
def test_settings_that_they_name_are_there(settings):
    assert Settings.parse(settings)[1] == []


def test_programs_that_they_start_are_the_packages_command():
    names = {
        read_json(LSP4IJ / "template.json")["programArgs"]["default"].split()[-1],
        read_json(FILES / "coc.nvim" / "coc-settings.json")["languageserver"]["fim-lsp"]["command"],
        *lua_list(FILES / "nvim-lspconfig" / "lsp" / "fim_lsp.lua", "cmd"),
    }
    scripts = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.scripts]")[2]

    assert names == {"fim-lsp"}
    assert "\nfim-lsp = " in scripts
