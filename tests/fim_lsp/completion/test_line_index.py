"""The memory of a project proposes what was written before, follows edits, and stays small."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.completion.line_index import LineIndex

LOOP = "for item in items:\n    total += item.price\n\n"


def proposed(memory: LineIndex, prefix: str) -> list[tuple[str, int, int, bool]]:
    return [tuple(proposal) for proposal in memory.propose(prefix)]


def test_what_followed_the_same_line_is_proposed_before_what_only_begins_alike():
    memory = LineIndex()
    memory.add("a.py", LOOP + LOOP)
    memory.add("b.py", "total = 0\ntotal = 0\ntotal = 0\n")

    assert [("al += item.price", 2, 2, True), ("al = 0", 3, 5, False)] == proposed(
        memory, "def f():\n        for item in items:\n\n            tot"
    )


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("for item in items:\n", [("total += item.price", 1, 1, True)]),
        ("x = 1\nfo", []),
        ("x = 1\nfor", [(" item in items:", 1, 1, False)]),
        ("x = 1\n\t\tfor item", [(" in items:", 1, 1, False)]),
        ("x = 1\nfor item in items:", []),
        ("", []),
        ("\n\n\n", []),
    ],
)
def test_a_line_is_known_by_its_beginning_or_by_the_line_above(prefix, expected):
    memory = LineIndex()
    memory.add("a.py", LOOP)

    assert expected == proposed(memory, prefix)


def test_the_line_above_is_looked_for_a_few_blank_lines_up_and_no_further():
    memory = LineIndex()
    memory.add("a.py", LOOP)

    assert proposed(memory, "for item in items:" + "\n" * 6)
    assert not proposed(memory, "for item in items:" + "\n" * 12)


def test_a_changed_file_is_known_as_it_is_now():
    memory = LineIndex()
    memory.add("a.py", LOOP)
    memory.add("a.py", LOOP.replace("price", "weight"))

    assert [("total += item.weight", 1, 1, True)] == proposed(memory, "for item in items:\n")


def test_what_is_forgotten_leaves_nothing():
    memory = LineIndex()
    memory.add("a.py", LOOP)
    memory.forget("a.py")
    memory.forget("never.py")

    assert not proposed(memory, "for item in items:\n")
    assert (0, ()) == (memory.num_lines, memory.paths)


def test_the_files_added_longest_ago_go_when_there_are_too_many_lines():
    memory = LineIndex(max_lines=10)
    for number in range(20):
        memory.add(f"{number}.py", "".join(f"line {number} {row}\n" for row in range(4)))
    memory.add("large.py", "".join(f"large {row}\n" for row in range(1000)))

    assert ("large.py",) == memory.paths
    assert 10 == memory.num_lines
    assert not proposed(memory, "line 19 0\n")


def test_a_line_of_data_is_never_proposed():
    memory = LineIndex()
    memory.add("a.py", f"DATA = [\n{'1, ' * 500}\n]\n")

    assert not proposed(memory, "DATA = [\n")
    assert not proposed(memory, "x\n1, 1")


def test_the_estimate_rises_with_support_and_falls_with_exceptions():
    memory = LineIndex()
    estimates = []
    for number in range(12):
        memory.add(f"{number}.py", LOOP)
        (proposal,) = memory.propose("for item in items:\n")
        estimates.append(proposal.probability)
    memory.add("other.py", "for item in items:\n    print(item)\n")
    (proposal,) = memory.propose("for item in items:\n")

    assert estimates[0] < 0.05
    assert sorted(set(estimates)) == estimates
    assert proposal.probability < estimates[-1] < 1


lines = st.lists(st.sampled_from(["a = 1", "b = a", "  a = 1", "", "é", "a"]), max_size=8)


@given(st.lists(st.tuples(st.sampled_from("xyz"), lines), max_size=8))
def test_edits_one_by_one_leave_what_adding_the_last_texts_would(edits):
    edited, fresh = LineIndex(), LineIndex()
    for path, text in edits:
        edited.add(path, "\n".join(text))
    for path, text in dict(edits).items():
        fresh.add(path, "\n".join(text))

    assert fresh.num_lines == edited.num_lines
    for above, start in product(["", "a = 1", "b = a", "é", "a"], ["", "a", "a = ", "b =", "é"]):
        prefix = f"{above}\n{start}"
        assert list(fresh.propose(prefix)) == list(edited.propose(prefix))
