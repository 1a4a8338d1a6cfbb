"""The names that files define for others, by trees in twelve languages, else by their lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.workspace.definitions import defined_names

CASES = {
    "python": (
        "import os\n\nLIMIT = 3\n\n\n@cached\ndef total(items):\n    inner = 1\n\n\n"
        "class Stock:\n    size = 0\n\n    def add(self): ...\n",
        {"LIMIT", "total", "Stock"},
    ),
    "javascript": (
        "export const a = 1, b = () => 2;\nexport default function load(url) { const z = 1 }\n"
        "class Cart { add() {} }\n",
        {"a", "b", "load", "Cart"},
    ),
    "typescript": (
        "export interface Shop { n: number }\nexport type Id = string;\n"
        "namespace N { export function deep() {} }\nexport enum Kind { A }\n",
        {"Shop", "Id", "deep", "Kind"},
    ),
    "c": (
        "#define MOST 3\nstruct stock { int n; };\ntypedef struct { int a; } item_t;\n"
        "static char *name_of(struct stock *s, int k) { int z = 1; return 0; }\n"
        "int total(int q);\nint counts[3];\n",
        {"MOST", "stock", "item_t", "name_of", "total", "counts"},
    ),
    "cpp": (
        "namespace a { class Stock { int n; }; int total(int q) { return q; } }\n"
        "template <class T> T half(T t) { return t; }\n",
        {"a", "Stock", "total", "half"},
    ),
    "go": (
        "package a\n\ntype Stock struct {\n\tn int\n}\n\nfunc (s *Stock) Add(x int) {\n\ty := x\n}\n"
        "\nconst Max = 3\n",
        {"Stock", "Add", "Max"},
    ),
    "rust": (
        "pub struct Stock { n: u32 }\nmod inner { pub fn deep() {} }\npub const MAX: u32 = 3;\n"
        "enum Kind { A }\n",
        {"Stock", "inner", "deep", "MAX", "Kind"},
    ),
    "java": (
        "package a;\npublic class Stock { int n; void add() {} }\ninterface Shop {}\n",
        {"Stock", "Shop"},
    ),
    "csharp": (
        "namespace A { public class Stock { int n; } public interface IShop {} }\n",
        {"A", "Stock", "IShop"},
    ),
    "ruby": (
        "module Shop\n  class Stock\n    def add; end\n  end\nend\ndef top; end\nMAX = 3\n",
        {"Shop", "Stock", "top", "MAX"},
    ),
    "php": (
        "<?php\nnamespace A;\nclass Stock { function add() {} }\nfunction top() {}\n",
        {"A", "Stock", "top"},
    ),
    "shellscript": ("top() {\n  echo 1\n}\n", {"top"}),
    "kotlin": ("class Stock\nfun top() = 1\n", {"Stock", "top"}),
    "swift": ("struct Stock {\n}\nfunc top() {\n}\n", {"Stock", "top"}),
    "": ("def top(a)\n  a\nend\n", {"top"}),
}


@pytest.mark.parametrize("language", CASES)
def test_a_file_defines_what_stands_at_its_top(language):
    text, names = CASES[language]

    assert names == defined_names(text, language)


@given(st.text(), st.sampled_from(list(CASES)))
def test_any_text_defines_something_or_nothing_and_never_fails(text, language):
    defined_names(text, language)
