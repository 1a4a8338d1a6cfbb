"""The corpus stage keeps what it may, and says why it dropped the rest."""

import gzip
import json
import lzma
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from model_runtime.training.corpus.build import build_corpus, choose_documents, choose_held_out
from model_runtime.training.corpus.decontamination import Benchmarks, read_tasks
from model_runtime.training.corpus.filters import reason_to_drop
from model_runtime.training.corpus.licences import classify_package
from model_runtime.training.corpus.parts import Stored
from model_runtime.training.corpus.source import CorpusError
from model_runtime.training.documents import Documents, Entry, unpack
from model_runtime.training.recipe import CorpusRecipe
from tests.model_runtime.training.conftest import ALONE, python_text, write_wheel

LICENCE_LINE = {
    "free": "License-Expression: MIT",
    "gpl": "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
    "owned": "License: Proprietary, all rights reserved",
    "silent": "Author: nobody",
}
TASK = '''def separate_groups(text):
    """Split nested groups of brackets."""
    result, current, depth = [], [], 0
    for char in text:
        if char == "(":
            depth += 1
            current.append(char)
    return result
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stage")
    wheels = folder / "wheels"
    for number, (name, line) in enumerate(LICENCE_LINE.items()):
        write_wheel(wheels, name, {"a.py": python_text(number)}, f"Name: {name}\n{line}\n")
    original, near = python_text(50), python_text(50).replace("Module 50", "Module fifty")
    files = {
        "same.py": original,
        "same_again.py": original,
        "near.py": near,
        "leak.py": TASK + python_text(60),
    }
    write_wheel(
        wheels, "twice", {**files, "short.py": "x = 1\n", "broken.py": python_text(61) + "def (:\n"}
    )
    write_wheel(wheels, "large", {f"{i}.py": python_text(200 + i, 120) for i in range(4)})
    (wheels / "damaged-1.0-py3-none-any.whl").write_bytes(b"no zip")
    tasks = folder / "tasks"
    tasks.mkdir()
    with gzip.open(tasks / "tasks.jsonl.gz", "wt") as file:
        file.write(json.dumps({"prompt": "", "canonical_solution": TASK}) + "\n")
    build_corpus(
        CorpusRecipe(cap_mb=0.07, block_mb=0.01),
        [str(wheels)],
        tasks,
        folder / "made",
        ALONE,
    )
    return folder / "made"


def test_only_permissive_packages_are_read_and_every_verdict_is_kept(made: Path):
    verdicts = dict(
        line.split("\t")[::2][:2] for line in (made / "licences.tsv").read_text().splitlines()
    )
    expected = {
        "free": "permissive",
        "gpl": "copyleft",
        "owned": "proprietary",
        "silent": "unknown",
        "twice": "permissive",
        "large": "permissive",
        "damaged": "unreadable",
    }

    assert expected == verdicts
    lines = b"".join(lzma.decompress(part.read_bytes()) for part in made.glob("*.tsv.xz")).decode()
    read = {line.split("\t")[1] for line in lines.splitlines()}
    assert {"free", "twice", "large"} == read


def test_what_was_dropped_is_counted_with_its_reason(made: Path):
    counts = json.loads((made / "manifest.json").read_text())["counts"]
    expected = {
        "exact duplicate": 1,
        "near-duplicate": 1,
        "13-gram of a benchmark": 1,
        "smaller than 200 bytes": 1,
        "does not parse": 1,
    }

    assert expected == {reason: counts[reason]["documents"] for reason in expected}
    assert json.loads((made / "manifest.json").read_text())["benchmark_overlaps"] == [
        "twice twice/leak.py"
    ]


def test_tasks_are_the_rows_of_tables_and_whole_files_of_code(tmp_path: Path):
    row = json.dumps({"prompt": "", "canonical_solution": TASK})
    texts = {"a.jsonl": row, "kept/b.js": "let b;", "c.md": "# C", "LICENSE": "MIT", "d.json": "{}"}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert {TASK, "let b;", "# C"} == read_tasks(tmp_path)


def test_held_out_packages_are_in_no_training_part(made: Path, tmp_path: Path):
    unpack(made, tmp_path)
    train, valid = Documents(tmp_path, "train"), Documents(tmp_path, "valid")

    assert {"large"} == set(valid.of_package)
    assert not set(train.of_package) & set(valid.of_package)
    assert python_text(0) in [train.text(number) for number in range(len(train))]


@pytest.mark.parametrize(
    ("sizes", "share", "expected"),
    [
        ({"one": 500_000}, 0.01, set()),
        ({"one": 500_000}, 1.0, set()),
        ({"one": 500_000, "small": 900}, 0.01, {"one"}),
        ({"one": 500_000, "two": 500_000}, 1.0, {"two"}),
        ({"small": 900, "smaller": 800}, 0.5, set()),
    ],
    ids=["single", "all of a single", "one of two", "never both", "none large enough"],
)
def test_packages_are_held_out_but_never_all_of_them(sizes, share, expected):
    assert expected == choose_held_out(Counter(sizes), share)


@pytest.mark.parametrize(
    ("sizes", "share", "expected"),
    [
        ([500] * 20, 0.01, 2),
        ([500] * 20, 0.25, 5),
        ([100_000] * 100, 0.002, 1),
        ([500, 500], 0.01, 1),
        ([9_000, 100], 0.01, 1),
        ([100, 9_000], 0.01, 1),
        ([500] * 4, 1.0, 2),
    ],
    ids=["a tenth", "the share", "many", "two", "large first", "large last", "half stays"],
)
def test_of_a_single_package_some_documents_are_held_out(sizes, share, expected):
    entries = [Entry(f"{i:04}", "one", "1", f"{i}.py", "MIT", n) for i, n in enumerate(sizes)]
    chosen = choose_documents([Stored(entry, 0) for entry in entries], share)
    held_out = [entry.size for entry in entries if entry.sha1 in chosen]

    assert expected == len(held_out)
    assert sum(held_out) <= sum(sizes) / 2


@pytest.mark.parametrize("number", [0, 1])
def test_fewer_than_two_documents_are_refused(number: int):
    entry = Entry("0000", "one", "1", "a.py", "MIT", 500)

    with pytest.raises(CorpusError, match="needs two at least"):
        choose_documents([Stored(entry, 0)] * number, 0.01)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="such names cannot be made there")
def test_a_name_that_is_no_utf8_is_written_with_escapes(tmp_path: Path):
    project = os.fsencode(tmp_path / "project")
    os.mkdir(project)
    for number, name in enumerate((b"caf\xe9.py", b"two\nlines.py", b"plain.py")):
        Path(os.fsdecode(os.path.join(project, name))).write_text(python_text(number), "utf-8")
    recipe = CorpusRecipe(assumed_licence="MIT")
    build_corpus(recipe, [os.fsdecode(project)], None, tmp_path / "made", ALONE)
    unpack(tmp_path / "made", tmp_path / "unpacked")
    kinds = [Documents(tmp_path / "unpacked", kind) for kind in ("train", "valid")]

    assert {entry.path for kind in kinds for entry in kind.entries} == {
        "caf\\udce9.py", "two lines.py", "plain.py",
    }  # fmt: skip


def test_a_manifest_tells_nothing_about_this_machine(made: Path):
    assert str(made.parent) not in (made / "manifest.json").read_text()
    assert not (made / "work").exists()


def test_building_again_gives_the_same_parts(made: Path, tmp_path: Path):
    manifest = build_corpus(
        CorpusRecipe(cap_mb=0.07, block_mb=0.01),
        [str(made.parent / "wheels")],
        made.parent / "tasks",
        tmp_path,
        ALONE,
    )

    assert json.loads((made / "manifest.json").read_text())["parts"] == manifest["parts"]


@pytest.mark.parametrize(
    ("metadata", "files", "expected"),
    [
        ("License-Expression: Apache-2.0", [], ("permissive", "expression")),
        ("License-Expression: MIT OR GPL-3.0-only", [], ("permissive", "expression")),
        ("License-Expression: MIT AND MPL-2.0", [], ("copyleft", "expression")),
        ("Classifier: License :: OSI Approved\nLicense: BSD", [], ("permissive", "license field")),
        (
            "License: UNKNOWN",
            ["Permission is hereby granted, free of charge"],
            ("permissive", "licence file"),
        ),
        ("License: LicenseRef-Ours", [], ("proprietary", "license field")),
        ("", [], ("unknown", "licence file")),
    ],
)
def test_verdicts(metadata: str, files: list[str], expected: tuple[str, str]):
    assert expected == classify_package(metadata, files)[:2]


GOOD = python_text(7).encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (GOOD, ""),
        (b"x = 1\n", "smaller than 200 bytes"),
        (GOOD * 1000, "larger than 500 kB"),
        (GOOD + b"\0", "NUL byte"),
        (b"# Generated by protoc. DO NOT EDIT\n" + GOOD, "generated"),
        (GOOD + b"x = '" + b"a" * 1001 + b"'\n", "line over 1000"),
        ((b"value = " + b"a" * 120 + b"\n") * 10, "minified: mean line over 100"),
        (b"=== --- (((\n" * 50, "data: letters below 35 %"),
        (b"abcdefgh 123456\n" * 50, "data: digits above 15 %"),
        (
            "x = '\u4f60\u597d\u4f60\u597d abcdefgh efghijklmn opqr'\n".encode() * 50,
            "not ASCII above 10 % of bytes",
        ),
        (b"# GNU Lesser General Public License\n" + GOOD, "foreign licence header"),
        (GOOD + b"# \xff\n", "not UTF-8"),
        (
            b"x = '" + b"word " * 14 + b"'\n" + (b"y = '" + b"word " * 14 + b"'\n") * 3,
            "fewer than five lines",
        ),
    ],
)
def test_every_rule_has_a_file_that_it_drops(data: bytes, reason: str):
    assert reason == reason_to_drop(data)


def test_lists_of_numbers_are_no_leak():
    numbers = "x = [" + ", ".join(map(str, range(40))) + "]\n"

    assert Benchmarks([numbers]).shared_runs(numbers) == 0
    assert Benchmarks([TASK]).shared_runs("import os\n" + TASK) > 0
    assert Benchmarks([]).shared_runs(TASK) == 0
