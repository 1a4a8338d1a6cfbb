"""Regions: whole lines, whole definitions, whatever the text is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.context.chunks import chunks

DEFINITIONS = [
    ("@cached\ndef total(items):\n    return sum(items)\n\nx = 1\n", "total", 3),
    ("class Stock:\n    def add(self):\n        pass\n\n    size = 0\n", "Stock", 5),
    ("export async function load(url) {\n  return fetch(url)\n}\nload()\n", "load", 3),
    ("pub(crate) fn size(&self) -> usize {\n    self.size\n}\n", "size", 3),
    ("func (s *Stock) Add(item Item) {\n\ts.items = 1\n}\n", "Add", 3),
    ("static int count_items(struct stock *s)\n{\n    return s->n;\n}\nint x;\n", "count_items", 4),
    ("def half(items):\n    for item in items", "half", 2),
]


@pytest.mark.parametrize(("text", "name", "lines"), DEFINITIONS, ids=[d[1] for d in DEFINITIONS])
def test_a_definition_is_one_region_with_its_name(text, name, lines):
    first = chunks(text)[0]

    assert (name, lines) == (first.name, first.end - first.start)


def test_a_long_class_is_taken_apart_into_whole_methods():
    methods = "".join(f"    def method{n}(self):\n        return {n}\n\n" for n in range(20))

    found = chunks(f"class Long:\n{methods}")

    assert [f"method{n}" for n in range(20)] == [chunk.name for chunk in found]


def test_one_line_of_five_megabytes_is_no_region():
    assert () == chunks("value = " + "data, " * 900_000)


LINES = st.lists(st.sampled_from(["", "def f(one):", "    two = 1", "\treturn", "}", "xyz", "@a"]))


@given(LINES)
def test_regions_are_whole_lines_in_order_and_never_overlap(lines):
    text = "\n".join(lines)
    end = 0
    for chunk in chunks(text):
        assert end <= chunk.start < chunk.end <= len(lines)
        assert chunk.text == "\n".join(lines[chunk.start : chunk.end])
        end = chunk.end


@given(st.text())
def test_any_text_has_regions_or_none_and_never_fails(text):
    chunks(text)
