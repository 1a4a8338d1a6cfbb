"""The index knows which files define a name, and which lie beside another."""

import random
import sys
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.workspace.index import WorkspaceIndex


def index_of(files: dict[str, list[str]]) -> WorkspaceIndex:
    index = WorkspaceIndex()
    for path, names in files.items():
        index.add(path, names)
    return index


def test_a_name_leads_to_the_files_that_define_it():
    index = index_of({"/w/a.py": ["Stock", "total"], "/w/b.py": ["Stock"], "/w/c.py": ["other"]})

    assert ["/w/a.py", "/w/b.py"] == list(index.defining({"Stock"}))
    assert [] == list(index.defining({"nothing"}))


def test_a_name_that_stands_everywhere_leads_nowhere():
    index = index_of({f"/w/{n}.py": ["main"] for n in range(20)})

    assert [] == list(index.defining({"main"}))


def test_the_test_comes_before_the_files_of_the_folder():
    index = index_of({"/w/a/stock.py": [], "/w/a/cart.py": [], "/w/tests/test_stock.py": []})

    assert ["/w/tests/test_stock.py", "/w/a/cart.py"] == list(index.beside("/w/a/stock.py"))


def test_a_file_that_is_added_again_gets_its_new_names():
    index = index_of({"/w/a.py": ["one"]})
    index.add("/w/a.py", ["two"])

    assert (1, ["/w/a.py"], ["/w/a.py"]) == (
        len(index),
        list(index.defining({"one"})),
        list(index.defining({"two"})),
    )


@given(st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(0, 50)))))
def test_it_never_grows_beyond_its_bounds(files):
    index = WorkspaceIndex(max_files=10, max_names=20)
    for path, names in files:
        index.add(f"/{path}.py", map(str, names))

    assert len(index) <= 10
    assert sum(any(index.defining({str(number)})) for number in range(51)) <= 20


def test_a_hundred_thousand_files_take_less_than_100_mb():
    words = [f"word{n}" for n in range(3000)]
    draw = random.Random(0)
    tracemalloc.start()
    index = WorkspaceIndex()
    for number in range(100_000):
        names = [draw.choice(words) + draw.choice(words) for _ in range(6)]
        index.add(f"/work/project/{number % 4000}/module_{number}.py", names)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 100_000 == len(index)
    assert taken < 100e6, f"{taken / 1e6:.0f} MB on Python {sys.version_info[:2]}"
