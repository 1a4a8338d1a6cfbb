"""Every kind of root gives its documents, with path, origin and licence."""

import gzip
import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from model_runtime.training.corpus.folders import Folder
from model_runtime.training.corpus.roots import find_sources
from model_runtime.training.corpus.source import MAX_FILE_BYTES, CorpusError, Share, SourceFile
from model_runtime.training.recipe import CorpusRecipe
from tests.model_runtime.training.conftest import MIT, write_wheel

CODE = "def one():\n    return 1\n"
MIT_TEXT = "MIT License\n\nPermission is hereby granted, free of charge, to any person\n"


def wheel(folder: Path) -> str:
    return str(write_wheel(folder, "thing", {"a.py": CODE, "b.txt": "no code"}))


def sdist(folder: Path) -> str:
    with tarfile.open(folder / "thing-1.0.tar.gz", "w:gz") as archive:
        for name, text in {
            "a.py": CODE,
            "notes.txt": "no code",
            "PKG-INFO": MIT,  # behind the code, as it may be
        }.items():
            entry = tarfile.TarInfo(f"thing-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return str(folder)


def zipped_sdist(folder: Path) -> str:
    with zipfile.ZipFile(folder / "thing-1.0.zip", "w") as archive:
        archive.writestr("thing-1.0/a.py", CODE)
        archive.writestr("thing-1.0/LICENSE", MIT_TEXT)
    return str(folder)


def npm_package(folder: Path) -> str:
    """A package of npm has its files below `package`."""
    with tarfile.open(folder / "thing-1.0.0.tgz", "w:gz") as archive:
        for name, text in {"package.json": "{}", "a.py": CODE, "LICENSE": MIT_TEXT}.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return str(folder)


def plain_folder(folder: Path) -> str:
    (folder / "thing" / "site-packages").mkdir(parents=True)
    (folder / "thing" / "a.py").write_text(CODE)
    (folder / "thing" / "link.py").symlink_to(folder / "thing" / "a.py")
    (folder / "thing" / "site-packages" / "foreign.py").write_text(CODE)
    (folder / "thing" / "LICENSE").write_text(MIT_TEXT)
    return str(folder / "thing")


def work_tree(folder: Path) -> str:
    tree = folder / "thing"
    tree.mkdir()
    (tree / "a.py").write_text(CODE)
    (tree / "COPYING").write_text(MIT_TEXT)
    (tree / "untracked.py").write_text(CODE)
    # What a foreign repository tells git to run is not run.
    (tree / "hook.sh").write_text(f"#!/bin/sh\ntouch {tree}/was-run\n")
    (tree / "hook.sh").chmod(0o755)
    for command in (
        ["init", "-q"],
        ["config", "core.fsmonitor", str(tree / "hook.sh")],
        ["-c", "core.fsmonitor=false", "add", "a.py", "COPYING"],
        [
            *("-c", "core.fsmonitor=false", "-c", "user.name=a", "-c", "user.email=a@b"),
            *("commit", "-q", "-m", "first"),
        ],
    ):
        subprocess.run(["git", "-C", str(tree), *command], check=True)
    return str(tree)


ROWS = [
    {"content": CODE, "path": "a.py", "license": "mit", "repo_name": "thing"},
    {"content": CODE, "path": "a.js", "license": "mit", "repo_name": "thing"},
    {"content": None, "path": "empty.py", "license": "mit", "repo_name": "thing"},
]


def json_lines(folder: Path) -> str:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS) + "\n")
    return str(folder / "rows.jsonl")


def gzipped(folder: Path) -> str:
    text = Path(json_lines(folder)).read_bytes()
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress(text))
    return str(folder / "rows.jsonl.gz")


def zstandard_lines(folder: Path) -> str:
    text = Path(json_lines(folder)).read_bytes()
    (folder / "rows.jsonl.zst").write_bytes(zstandard.compress(text))
    return str(folder / "rows.jsonl.zst")


def parquet_file(folder: Path) -> str:
    parquet.write_table(pa.Table.from_pylist(ROWS), folder / "rows.parquet")
    return str(folder / "rows.parquet")


def hub_dataset(folder: Path) -> str:
    """A data set as the hub holds it, on this machine."""
    (folder / "set" / "data").mkdir(parents=True)
    table = pa.Table.from_pylist(ROWS)
    parquet.write_table(table, folder / "set" / "data" / "train-00000-of-00001.parquet")
    return f"hf:{folder / 'set'}?split=train"


READERS: list[Callable[[Path], str]] = [
    wheel,
    sdist,
    zipped_sdist,
    npm_package,
    plain_folder,
    work_tree,
    json_lines,
    gzipped,
    zstandard_lines,
    parquet_file,
    hub_dataset,
]


def read(root: str, recipe: CorpusRecipe | None = None) -> list[SourceFile]:
    files = []
    for source in find_sources([root]):
        verdict, found = source.open(recipe or CorpusRecipe(), Share())
        files += list(found) if verdict.kind in ("permissive", "by document") else []
    return files


@pytest.fixture(autouse=True)
def _cache_of_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("make", READERS, ids=lambda make: make.__name__)
def test_each_kind_of_root_gives_its_code(make: Callable[[Path], str], tmp_path: Path):
    files = read(make(tmp_path))

    assert [("thing", CODE, "permissive")] == [
        (file.package, file.data.decode(), file.verdict.kind) for file in files
    ]
    assert files[0].path in ("a.py", "thing/a.py")  # in a wheel the package is a folder
    assert not (tmp_path / "thing" / "was-run").exists()


def test_the_standard_library_is_a_root_of_its_own():
    (source,) = find_sources(["stdlib"])
    verdict, files = source.open(CorpusRecipe(), Share())

    assert isinstance(source, Folder)
    assert source.name.startswith("cpython_3.")
    assert ("permissive", "PSF-2.0") == verdict[::2]
    assert any(file.path == "abc.py" for file in files)


def test_a_licence_outside_the_allow_list_is_not_read(tmp_path: Path):
    root = str(write_wheel(tmp_path, "thing", {"a.py": CODE}))

    assert len(read(root)) == 1
    assert read(root, CorpusRecipe(licences=("Apache",))) == []


def test_a_folder_that_says_nothing_is_read_if_the_recipe_answers_for_it(tmp_path: Path):
    (tmp_path / "mine.py").write_text(CODE)

    assert read(str(tmp_path)) == []
    assert len(read(str(tmp_path), CorpusRecipe(assumed_licence="MIT"))) == 1


def test_rows_are_classified_one_by_one(tmp_path: Path):
    licences = ["MIT", "GPL-3.0", ["MIT", "LGPL-2.1"], None]
    lines = [json.dumps({"text": CODE, "license": licence}) + "\n" for licence in licences]
    (tmp_path / "rows.jsonl").write_text("".join(lines))
    root = str(tmp_path / "rows.jsonl")

    expected = ["permissive", "copyleft", "copyleft", "unknown"]
    assert expected == [file.verdict.kind for file in read(root)]
    assumed = read(root, CorpusRecipe(assumed_licence="CC0"))
    assert [*expected[:3], "permissive"] == [file.verdict.kind for file in assumed]


def test_a_recipe_names_odd_columns(tmp_path: Path):
    row = {"meta": {"source": CODE, "of": "thing"}, "rights": "MIT", "text": "something else"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    columns = {"text": "meta.source", "origin": "meta.of", "licence": "rights"}
    (file,) = read(str(tmp_path / "rows.jsonl"), CorpusRecipe(columns=columns))

    assert (CODE.encode(), "thing", "permissive") == (file.data, file.package, file.verdict.kind)


def test_several_tasks_share_a_streamed_data_set(tmp_path: Path):
    rows = [{"text": f"{CODE}# {i}\n", "license": "MIT"} for i in range(10)]
    (tmp_path / "set").mkdir()
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "set" / "train.parquet")
    (source,) = find_sources([f"hf:{tmp_path / 'set'}?limit=7"])
    shares = [list(source.open(CorpusRecipe(), Share(rank, 3))[1]) for rank in range(3)]
    texts = [file.data.decode() for share in shares for file in share]

    assert {row["text"] for row in rows[:7]} == set(texts)
    assert len(texts) == 7


def test_the_newest_version_comes_first_and_a_wheel_before_an_sdist(tmp_path: Path):
    for name in ("a-9.0", "a-10.0", "b-1.0"):
        (tmp_path / f"{name}-py3-none-any.whl").write_bytes(b"")
    (tmp_path / "A-10.0.tar.gz").write_bytes(b"")
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a-9.0-py3-none-any.whl").write_bytes(b"")
    found = [(type(source).__name__, source.version) for source in find_sources([str(tmp_path)])]

    assert [("Wheel", "10.0"), ("Sdist", "10.0"), ("Wheel", "9.0"), ("Wheel", "1.0")] == found


def test_a_folder_of_python_files_is_one_package_though_a_wheel_lies_in_it(tmp_path: Path):
    (tmp_path / "ensurepip").mkdir()
    write_wheel(tmp_path / "ensurepip", "pip", {"a.py": CODE})
    (tmp_path / "ast.py").write_text(CODE)

    assert ["Folder"] == [type(source).__name__ for source in find_sources([str(tmp_path)])]


def test_huge_files_are_not_read(tmp_path: Path):
    files = {"a.py": CODE, "huge.py": "#" * (MAX_FILE_BYTES + 1)}

    assert len(read(str(write_wheel(tmp_path, "thing", files)))) == 1


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("{folder}/none", "none is not there; a root is a folder of Python files"),
        ("{folder}", "holds nothing to read"),
        ("{folder}/notes.txt", "none of the files that can be read"),
        ("hf:name?split", "write hf:NAME"),
    ],
)
def test_a_root_that_cannot_be_read_is_told_of_in_one_sentence(
    root: str, message: str, tmp_path: Path
):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(CorpusError, match=message):
        find_sources([root.format(folder=tmp_path)])


def test_a_table_without_the_column_names_those_that_it_has(tmp_path: Path):
    (tmp_path / "rows.jsonl").write_text(json.dumps({"body": CODE, "id": "1"}))
    with pytest.raises(CorpusError, match=r"its columns are body, id; set corpus\.columns\.text"):
        read(str(tmp_path / "rows.jsonl"))


def test_a_broken_line_is_named(tmp_path: Path):
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": CODE, "license": "MIT"}) + "\n{\n")
    with pytest.raises(ValueError, match="line 2 is not JSON"):
        read(str(tmp_path / "rows.jsonl"))


def test_a_folder_that_git_does_not_take_for_a_work_tree_quotes_git(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    with pytest.raises(CorpusError, match=r"git cannot read the work tree .*: fatal: "):
        find_sources([str(tmp_path)])


def test_a_work_tree_without_a_commit_is_read_as_git_tracks_it(tmp_path: Path):
    (tmp_path / "a.py").write_text(CODE)
    (tmp_path / "untracked.py").write_text(CODE)
    for command in (["init", "-q"], ["add", "a.py"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)

    (source,) = find_sources([str(tmp_path)])
    _, files = source.open(CorpusRecipe(assumed_licence="MIT"), Share())

    assert source.version == ""
    assert [file.path for file in files] == ["a.py"]
