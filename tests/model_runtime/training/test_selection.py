"""Plain functions: short, at the margin, with control flow, about their own names."""

import json
import lzma

import pytest

from model_runtime.training.documents import Entry
from model_runtime.training.file_sample import languages_of
from model_runtime.training.functions import plain_functions
from model_runtime.training.recipe import SelectionRecipe
from model_runtime.training.selection import select

RECIPE = SelectionRecipe(functions=True, files_mb=1.0)
PLAIN = '''def largest(numbers, default=None):
    """The largest of the numbers."""
    best = default
    for number in numbers:
        if best is None or number > best:
            best = number
    return best
'''


def test_a_plain_function_is_found_whole_among_other_code():
    text = f"import os\n\n{PLAIN}\n\nclass Other:\n    pass\n"

    assert [PLAIN] == list(plain_functions(text, RECIPE))


def test_a_signature_closed_at_the_margin_does_not_end_the_function():
    text = PLAIN.replace(
        "(numbers, default=None):", "(\n    numbers,\n    default=None,\n) -> int:"
    )

    assert [text] == list(plain_functions(text + "\nx = 1\n", RECIPE))


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("def ", "    def "),
        PLAIN.replace("    for number", "    for number(("),
        "def short(a):\n    return a\n",
        PLAIN.replace("best", "self.owner.best"),
        PLAIN.replace("    return best\n", ""),
        PLAIN + "    # filler\n" * 100 + "    return 1\n",
        PLAIN.replace("    best = default\n", "    def inner(x):\n        return x\n"),
    ],
    ids=["indented", "broken", "short", "attributes", "no return", "long", "nested"],
)
def test_other_functions_are_left_out(text):
    assert [] == list(plain_functions(text, RECIPE))


def write_corpus(folder, documents):
    folder.mkdir()
    lines = [
        Entry(f"{i:016x}", "pkg", "1", path, "MIT", len(text.encode())).line()
        for i, (path, text) in enumerate(documents)
    ]
    for kind in ("train-000", "valid-000"):
        texts = "".join(text + "\0" for _, text in documents)
        (folder / f"{kind}.txt.xz").write_bytes(lzma.compress(texts.encode()))
        (folder / f"{kind}.tsv.xz").write_bytes(lzma.compress("".join(lines).encode()))


def test_a_selection_holds_functions_once_and_whole_files_and_the_held_out_part(tmp_path):
    write_corpus(
        tmp_path / "corpus",
        [("a.py", PLAIN), ("b.py", f"x = 1\n\n{PLAIN}"), ("tests/c.py", PLAIN), ("d.pyi", PLAIN)],
    )
    select(RECIPE, tmp_path / "corpus", tmp_path / "out")
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text())["counts"]
    texts = lzma.decompress((tmp_path / "out" / "train-000.txt.xz").read_bytes()).decode()

    assert {"files read": 4, "functions": 1, "equal functions": 1, "whole files of python": 2} == {
        name: count for name, count in counts.items() if name != "function bytes"
    }
    assert 3 == texts.count("\0")
    assert (tmp_path / "out" / "valid-000.txt.xz").exists()
    assert not (tmp_path / "out" / "spill.bin").exists()


def test_other_languages_have_equal_parts_as_far_as_they_have_files(tmp_path):
    line = "x = 1234567\n"  # 12 bytes
    files = {"one.md": 10, **{f"{i}.c": 100 for i in range(9)}, **{f"{i}.js": 50 for i in range(9)}}
    write_corpus(
        tmp_path / "corpus",
        [(path, f"{path}\n" + line * lines) for path, lines in files.items()],
    )
    recipe = SelectionRecipe(functions=True, files_mb=1.0, other_languages_mb=0.005)
    select(recipe, tmp_path / "corpus", tmp_path / "out")
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text())["counts"]

    # Of 5,000 bytes the prose has 127, and the others half of what is left: 2,436 each.
    assert {
        "files read": 19,
        "whole files of markdown": 1,
        "whole files of javascript": 4,
        "whole files of c": 2,
    } == counts


def test_a_corpus_of_python_alone_gives_no_files_of_other_languages(tmp_path):
    write_corpus(tmp_path / "corpus", [("a.py", PLAIN)])
    recipe = SelectionRecipe(functions=True, other_languages_mb=5.0)
    select(recipe, tmp_path / "corpus", tmp_path / "out")
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text())["counts"]

    assert ["functions", "whole files of python"] == [
        name for name in counts if name not in ("files read", "function bytes")
    ]


def test_the_languages_of_a_corpus_are_those_of_a_hundredth_of_its_bytes():
    sizes = {"a.py": 600, "b.js": 380, "c.h": 11, "d.md": 9}
    entries = [Entry("0", "pkg", "1", path, "MIT", size) for path, size in sizes.items()]

    assert ("python", "javascript", "c") == languages_of(entries)
