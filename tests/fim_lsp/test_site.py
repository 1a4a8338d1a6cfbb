"""The documentation builds as a site, and a link that leads nowhere stops the build."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.requirements import required_module

ROOT = Path(__file__).parents[2]

required_module("sphinx")
pytestmark = pytest.mark.slow


def build(repository: Path) -> subprocess.CompletedProcess[str]:
    options = ["-W", "--keep-going", "-n", "-q"]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, repository / "docs", repository / "site"],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Copies the pages, and all that they show and link to."""
    for folder in ("docs", "benchmarks/results", "vscode-client/media"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for folder in ("fim_lsp", "model_runtime", "tests", "examples", ".github"):
        for file in (ROOT / folder).rglob("*.*"):  # a link needs no more than a file of that name
            copy = tmp_path / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch()
    for file in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path)
    return tmp_path


def test_the_site_has_every_page_and_links_to_the_repository(repository: Path):
    done = build(repository)

    assert (done.returncode, done.stderr) == (0, "")
    pages = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    parts = {page for page in pages if page.parts[0] == "distribution" and len(page.parts) > 2}
    for page in pages - parts:
        assert (repository / "site" / page.with_suffix(".html")).exists(), page
    first = (repository / "site" / "index.html").read_text("utf-8")
    assert "https://github.com/fim-lsp/fim-lsp/blob/main/CONTRIBUTING.md" in first
    assert "../CONTRIBUTING.md" not in first
    loaded = re.findall(
        r"<(?:script|img|link rel=\"stylesheet\")[^>]*(?:src|href)=\"([^\"]+)", first
    )
    assert loaded
    assert [address for address in loaded if "//" in address] == []


def test_a_link_that_leads_nowhere_stops_the_build(repository: Path):
    page = repository / "docs" / "start.md"
    broken = ("gone.md", "settings.md#gone", "../gone.md")
    links = "\n".join(f"[words]({link})" for link in broken)
    page.write_text(f"{page.read_text('utf-8')}\n{links}\n", encoding="utf-8")

    done = build(repository)

    assert done.returncode != 0
    for link in broken:
        name, _, anchor = link.partition("#")
        assert any((anchor or name) in line for line in done.stderr.splitlines()), link
