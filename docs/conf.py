"""Sphinx builds the site from these pages as they stand; `make docs` checks every link.

The pages are written for the repository's own view of them.  Two things are added here: the order
of the pages, and the web address of what a page names outside of this folder.
"""

import re
import shutil
from pathlib import Path

from pygments.lexers.data import JsonLexer
from sphinx.application import Sphinx

HERE = Path(__file__).parent
REPOSITORY = "https://github.com/fim-lsp/fim-lsp"

project = "fim-lsp"
author = "the authors of fim-lsp"
copyright = "the authors of fim-lsp, Apache-2.0"
extensions = ["myst_parser"]
root_doc = "README"
source_suffix = {".md": "markdown"}
exclude_patterns = ["distribution/*/*"]
myst_heading_anchors = 4
nitpicky = True
suppress_warnings = ["myst.header"]  # howto pages may begin below the first level
html_theme = "furo"
html_title = "fim-lsp"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_baseurl = "https://fim-lsp.github.io/fim-lsp/"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": f"{REPOSITORY}/",
    "source_branch": "main",
    "source_directory": "docs/",
}
pygments_style = "tango"
pygments_dark_style = "github-dark"

NAVIGATION = {
    "Start": ("start", "troubleshooting"),
    "Editors": (
        "editors",
        "vscode",
        "vscode-first-minutes",
        "neovim-first-minutes",
        "shared-server",
        "team",
        "clients",
        "beside-others",
    ),
    "Suggestions": ("suggestions", "settings", "exclude", "replay"),
    "Models": (
        "which-model",
        "catalogue",
        "models",
        "engines",
        "servers",
        "gguf",
        "prompt-formats",
    ),
    "Results": ("results",),
    "Training": ("training", "training-data", "distributed-training", "evaluation"),
    "How it works": ("architecture", "reliability", "messages"),
    "Extend it": tuple(f"howto/{page.stem}" for page in sorted((HERE / "howto").glob("*.md"))),
    "Releases": ("releasing", "distribution/README"),
    "Notes": ("notes/README",),
}
"""Headings of the side bar with their pages; a page that is in none of them fails the build."""

_LINK = re.compile(r"(?<!!)(\[[^\]\n]*(?:\n[^\]\n]*)?\]\()([^)\s]+)(\))")
_CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]+`)", re.M | re.S)


def with_addresses(text: str, folder: Path) -> str:
    """Returns a page in which links to folders and to files outside of docs/ are web addresses.

    Args:
        text: of the page, in Markdown.
        folder: in which the page lies.
    """

    def address(link: re.Match[str]) -> str:
        path, _, anchor = link[2].partition("#")
        there = (folder / path).resolve()
        is_elsewhere = ":" in path or not path or not there.exists()  # what is not there is told
        if is_elsewhere or (there.is_relative_to(HERE) and there.suffix == ".md"):
            return link[0]
        kind = "tree" if there.is_dir() else "blob"
        web = f"{REPOSITORY}/{kind}/main/{there.relative_to(HERE.parent).as_posix()}"
        return f"{link[1]}{web}{anchor and '#'}{anchor}{link[3]}"

    parts = _CODE.split(text)
    return "".join(part if i % 2 else _LINK.sub(address, part) for i, part in enumerate(parts))


def navigation() -> str:
    """Returns the hidden tables of contents of the first page."""
    tables = [
        f"```{{toctree}}\n:caption: {caption}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"
        for caption, pages in NAVIGATION.items()
    ]
    return "\n".join(tables)


def notes() -> str:
    """Returns the hidden table of contents of the page of notes, newest first."""
    pages = sorted((HERE / "notes").glob("*.md"), key=lambda page: page.read_text("utf-8"))
    names = [page.stem for page in reversed(pages) if page.name != "README.md"]
    return "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"


def prepare(_app: Sphinx, name: str, source: list[str]) -> None:
    """Changes a page before it is read."""
    text = with_addresses(source[0], (HERE / name).parent)
    added = {"README": navigation, "notes/README": notes}.get(name)
    source[0] = f"{text}\n\n{added()}" if added else text


def finish(app: Sphinx, error: Exception | None) -> None:
    """Gives the site its first page."""
    if error is None and app.builder.format == "html":
        shutil.copyfile(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))


def setup(app: Sphinx) -> None:
    """Registers what Sphinx calls."""
    app.add_lexer("jsonc", JsonLexer)  # which knows comments
    app.connect("source-read", prepare)
    app.connect("build-finished", finish)
