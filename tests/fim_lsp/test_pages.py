"""Pages name what there is, are short, and notes begin with their date."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NOTES = sorted((DOCS / "notes").glob("*.md"))
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    ROOT / "vscode-client" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]
PRESENT = [page for page in PAGES if page not in NOTES]  # notes may name what has gone since
TOP_FOLDERS = (
    "fim_lsp",
    "model_runtime",
    "tests",
    "benchmarks",
    "scripts",
    "docs",
    "vscode-client",
    "nvim-client",
)
CODE_PAGES = {"architecture.md", "CONTRIBUTING.md"}
"""Pages on which `name.py` is a file of the project, beside the how-to pages; elsewhere it is an example."""
MAX_WORDS = {"architecture.md": 1500, "settings.md": 3500}
"""Words of pages that are longer than others: an overview, and a reference that is generated."""


def identity(page: Path) -> str:
    return str(page.relative_to(ROOT))


def is_about_code(page: Path) -> bool:
    return page.name in CODE_PAGES or page.parent.name == "howto"


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """Returns the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text("utf-8")), re.M)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@cache
def files() -> list[str]:
    """Returns every file of the project that a page may name."""
    found = (path for top in TOP_FOLDERS for path in (ROOT / top).rglob("*.*"))
    return [str(path.relative_to(ROOT)) for path in found if "node_modules" not in path.parts]


def spans(page: Path) -> list[str]:
    """Returns the texts between single backticks."""
    return re.findall(r"`([^`\n]+)`", without_code(page.read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_link_leads_somewhere(page: Path):
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text("utf-8"))):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            missing.append(target)

    assert missing == []


def is_there(span: str, page: Path) -> bool:
    """Tells whether a path, a file's name or a module is there; anything else is no name of a file."""
    if re.fullmatch(rf"(?:{'|'.join(TOP_FOLDERS)})/[\w./*-]+", span):
        path = span.rstrip("/")
        is_built = "dist" in Path(path).parts
        return is_built or any(ROOT.glob(path)) or any(page.parent.glob(path))
    if not is_about_code(page):
        return True
    if re.fullmatch(r"[\w/]+\.(?:py|ts|lua)", span):
        return any(f"/{file}".endswith(f"/{span}") for file in files())
    if re.fullmatch(r"(?:fim_lsp|model_runtime|benchmarks)(?:\.\w+)+", span):
        path = ROOT / span.replace(".", "/")
        return any(one.is_dir() or one.with_suffix(".py").exists() for one in (path, path.parent))
    return True


@pytest.mark.parametrize("page", PRESENT, ids=identity)
def test_every_file_that_a_page_names_is_there(page: Path):
    assert [span for span in spans(page) if not is_there(span, page)] == []


@pytest.mark.parametrize("page", [p for p in PRESENT if is_about_code(p)], ids=identity)
def test_every_class_and_constant_that_a_page_names_is_there(page: Path):
    sources = [ROOT / file for file in files() if file.endswith(".py")]
    defined = {
        name
        for source in sources
        for name in re.findall(r"^ *(?:class )?(\w+)\b", source.read_text("utf-8"), re.M)
    }
    named = {
        name
        for span in spans(page)
        for name in re.findall(r"^(?:[A-Z]\w*[a-z]\w*[A-Z]\w*|[A-Z]+_[A-Z_]+)", span)
    }

    assert named - defined == set()


@pytest.mark.parametrize("page", PRESENT, ids=identity)
def test_every_command_that_a_page_names_is_there(page: Path):
    text = page.read_text("utf-8")
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = re.findall(r"(?:`|^ {4}|\$ )make ([a-z][\w-]*)", text, re.M)
    benchmarks = re.findall(r"python -m\s+benchmarks\.(\w+)", text)

    assert {name for name in named if name not in targets} == set()
    assert {
        name for name in benchmarks if not (ROOT / "benchmarks" / f"{name}.py").exists()
    } == set()


@pytest.mark.parametrize(
    "page", [p for p in sorted(DOCS.rglob("*.md")) if p not in NOTES], ids=identity
)
def test_a_page_is_short(page: Path):
    limit = 600 if page.parent.name == "howto" else MAX_WORDS.get(page.name, 800)

    assert len(without_code(page.read_text("utf-8")).split()) <= limit


def test_every_page_that_the_code_names_is_there():
    kinds = (".py", ".ts", ".lua", ".toml", ".txt")
    missing = [
        (file, name)
        for file in files()
        if file.endswith(kinds) and "replay_set" not in file
        for name in re.findall(r"docs/[\w./-]+\.md", (ROOT / file).read_text("utf-8"))
        if not (ROOT / name).exists()
    ]

    assert missing == []


def test_the_readme_fits_a_screen():
    assert (ROOT / "README.md").read_text("utf-8").count("\n") <= 65


@pytest.mark.parametrize("note", [n for n in NOTES if n.name != "README.md"], ids=identity)
def test_a_note_begins_with_its_date_and_its_result_and_is_listed(note: Path):
    heading, _, result, *_ = note.read_text("utf-8").splitlines()

    assert re.match(r"# \d{4}-\d\d-\d\d: ", heading)
    assert result.startswith("Result: ")
    assert f"({note.name})" in (DOCS / "notes" / "README.md").read_text("utf-8")


def test_the_glossary_is_short():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    glossary = re.search(r"^## Glossary\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert glossary

    assert 0 < len(re.findall(r"^\| \*?\*?[^|-]", glossary[1], re.M)) - 1 <= 30
