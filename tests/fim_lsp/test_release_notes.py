"""A tag is a release only where every file names its version; its notes are the changelog's."""

import json
from pathlib import Path

import pytest

from scripts.release_notes import notes

OWN = "## {version} - 2026-12-01\n\n- New.\n\n## 0.1.0\n\n- Old.\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "vscode-client").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n', "utf-8")
    package = {"name": "fim-lsp", "version": "0.2.0"}
    (tmp_path / "vscode-client" / "package.json").write_text(json.dumps(package), "utf-8")
    for folder in (tmp_path, tmp_path / "vscode-client"):
        text = f"# Changelog\n\n{OWN.format(version='0.2.0')}"
        (folder / "CHANGELOG.md").write_text(text, "utf-8")
    return tmp_path


@pytest.mark.parametrize("tag", ["v0.2.0", "0.2.0"])
def test_the_notes_are_the_section_of_the_version(repository: Path, tag: str):
    assert notes(tag, repository) == "- New.\n"


@pytest.mark.parametrize(
    "file",
    ["pyproject.toml", "CHANGELOG.md", "vscode-client/package.json", "vscode-client/CHANGELOG.md"],
)
def test_a_file_with_another_version_is_named(repository: Path, file: str):
    path = repository / file
    path.write_text(path.read_text("utf-8").replace("0.2.0", "0.2.1"), "utf-8")

    with pytest.raises(ValueError, match=f"the tag v0.2.0 is no release: {file} has"):
        notes("v0.2.0", repository)
