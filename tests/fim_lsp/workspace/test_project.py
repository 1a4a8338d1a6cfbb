"""A project is looked through by a real process, and its files are read as they are now."""

import asyncio
import os
from pathlib import Path

import pytest

from fim_lsp.workspace.project import Project
from fim_lsp.workspace.source_file import MAX_BYTES, read_text


async def others_ended() -> None:
    """Waits until no task but the test's own is left."""
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.001)


async def looked_through(
    root: Path, exclude: tuple[str, ...] = (), lines: int = 1000
) -> tuple[Project, dict[str, str]]:
    project, learned = Project(), {}
    done = asyncio.get_running_loop().create_future()
    project.look_through([str(root)], exclude, lines, learned.__setitem__, done.set_result)
    await done
    await others_ended()
    return project, learned


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "shop" / "stock.py").write_text("class Stock:\n    pass\n")
    (tmp_path / "shop" / "cart.py").write_text("class Cart:\n    pass\n")
    (tmp_path / "tests" / "test_cart.py").write_text("def test_cart():\n    pass\n")
    (tmp_path / "shop" / ".env.py").write_text("TOKEN = 1\n")
    return tmp_path


async def test_definitions_come_first_then_the_test_then_siblings(root):
    project, _ = await looked_through(root)
    uri = (root / "shop" / "cart.py").as_uri()

    found = list(project.files(uri, {"Stock"}))

    assert ["shop/stock.py", "tests/test_cart.py"] == [document.path for document in found]
    assert ["class Stock:\n    pass\n", "python"] == [found[0].text, found[0].language_id]


async def test_files_are_read_when_they_are_wanted(root):
    project, _ = await looked_through(root)
    (root / "shop" / "stock.py").write_text("class Stock:\n    size = 1\n")
    (root / "tests" / "test_cart.py").unlink()

    found = list(project.files((root / "shop" / "cart.py").as_uri(), {"Stock"}))

    assert ["class Stock:\n    size = 1\n"] == [document.text for document in found]


async def test_a_file_that_became_a_link_is_not_followed(root, tmp_path_factory):
    project, _ = await looked_through(root)
    secret = tmp_path_factory.mktemp("elsewhere") / "stock.py"
    secret.write_text("class Stock: password = 1\n")
    (root / "shop" / "stock.py").unlink()
    (root / "shop" / "stock.py").symlink_to(secret)

    found = project.files((root / "shop" / "cart.py").as_uri(), {"Stock"})

    assert ["tests/test_cart.py"] == [document.path for document in found]


async def test_a_saved_document_is_known_at_once(root):
    project, _ = await looked_through(root)
    before = project.index.version
    (root / "shop" / "new.py").write_text("class Fresh: ...\n")
    project.saved((root / "shop" / "new.py").as_uri(), "class Fresh: ...\n")

    found = list(project.files((root / "shop" / "cart.py").as_uri(), {"Fresh"}))

    assert "shop/new.py" == found[0].path
    assert project.index.version > before


async def test_texts_are_learned_up_to_so_many_lines_the_last_changed_first(root):
    for age, name in enumerate(["shop/cart.py", "tests/test_cart.py", "shop/stock.py"]):
        os.utime(root / name, (1e9 - age, 1e9 - age))

    _, learned = await looked_through(root, lines=7)

    assert ["cart.py", "test_cart.py"] == [Path(path).name for path in learned]


async def test_what_is_excluded_is_neither_learned_nor_found(root):
    project, learned = await looked_through(root, ("stock.py",))

    assert not any("stock" in path or ".env" in path for path in learned)
    assert [] == [
        document.path
        for document in project.files((root / "shop" / "cart.py").as_uri(), {"Stock", "TOKEN"})
        if "test" not in document.path
    ]


async def test_the_same_question_is_asked_once(root):
    project, _ = await looked_through(root)
    num_files = len(project.index)
    project.look_through([str(root)], (), 1000, dict[str, str]().__setitem__)

    assert num_files == len(project.index) > 0  # another look would begin with an empty index


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="children are listed in /proc")
async def test_stopping_ends_the_process_and_forgets(root, tmp_path):
    for number in range(3000):
        (root / "shop" / f"m{number}.py").write_text(f"def f{number}(): ...\n" * 50)
    project, learned = Project(), {}
    project.look_through([str(root)], (), 100_000, learned.__setitem__)
    while len(learned) < 3:
        await asyncio.sleep(0.001)
    assert 1 == number_of_readers()
    project.stop()
    await others_ended()

    assert 0 == len(project.index)
    assert 0 == number_of_readers()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"\xff\xfe", None),
        (b"a\0b", None),
        (b"x" * (MAX_BYTES + 1), None),
        (b"", ""),
    ],
)
def test_what_is_no_text_is_not_read(tmp_path, raw, text):
    (tmp_path / "a.py").write_bytes(raw)

    assert text == read_text(tmp_path / "a.py")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes in folders")
def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")

    assert read_text(tmp_path) is None
    assert read_text(tmp_path / "nowhere.py") is None
    assert read_text(tmp_path / "pipe.py") is None


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="children are listed in /proc")
async def test_no_more_than_two_projects_are_looked_through_at_a_time(tmp_path):
    for number in range(400):
        (tmp_path / f"module_{number}.py").write_text(f"class Class{number}:\n    pass\n" * 50)
    projects = [Project() for _ in range(6)]
    done: list[int] = []
    for project in projects:
        project.look_through([str(tmp_path)], (), 0, lambda path, text: None, done.append)
    projects.pop().stop()
    most = 0
    while len(done) < len(projects):
        most = max(most, number_of_readers())
        await asyncio.sleep(0.005)
    await others_ended()

    assert 2 == most
    assert [400] * 5 == [len(project.index) for project in projects]


def number_of_readers() -> int:
    """Children of this process that look through a project."""
    found = 0
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            try:
                found += b"fim_lsp.workspace.reader" in Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:  # it has just ended
                continue
    return found
