"""The rules that know the language, as data: the bad is cut or dropped, the good stays."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.completion import language_filters
from fim_lsp.completion.language_filters import (
    LANGUAGE_RULES,
    LANGUAGE_RULES_FOR_BLOCK,
    is_inside_word,
    is_too_short,
)
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.languages import language, language_id, language_ids


class Case(NamedTuple):
    rule: str
    name: str
    language: str
    prefix: str
    suffix: str
    written: str
    left: str


def good(rule: str, name: str, language: str, prefix: str, suffix: str, written: str) -> Case:
    return Case(rule, name, language, prefix, suffix, written, written)


LINE = "response = fetch(address)"

CASES = [
    Case("drop_empty_string", "a string that ends at once says nothing",
         "python", 'x = "', '"\n', '"', ""),
    Case("drop_empty_string", "nor with more behind it", "javascript", "f('", "')\n", "', 1)", ""),
    good("drop_empty_string", "a string with words in it", "python", 'x = "', '"\n', 'name"'),
    good("drop_empty_string", "the end of a string that says something",
         "python", 'x = "abc', "\n", '", 1'),
    good("drop_empty_string", "an apostrophe in prose opens nothing", "markdown", "don'", "\n", "'t"),
    Case("cut_surplus_closer", "a closer of nothing", "python", "x = ", "\n", "a + b)", "a + b"),
    Case("cut_surplus_closer", "a brace too many", "c", "f();\n", "", "}\ng();", ""),
    Case("cut_surplus_closer", "the wrong kind of closer", "go", "f(", "\n", "a]", "a"),
    good("cut_surplus_closer", "a closer of what the prefix opened", "c", "if (x) {\n  ", "\n", "f();\n}"),
    good("cut_surplus_closer", "a closer inside a string", "python", "x = ", "\n", '")"'),
    good("cut_surplus_closer", "a closer inside a comment", "rust", "x; ", "\n", "// :)"),
    good("cut_surplus_closer", "a smiley in prose", "markdown", "Hello ", "\n", ":)"),
    good("cut_surplus_closer", "a lifetime is no string", "rust", "fn f<'a>(x: &'a str", ")\n", ") {}"),
    Case("cut_wrong_closing_tag", "another element is open",
         "html", "<nav>\n<ul>\n</ul>\n", "\n", "</div>", ""),
    Case("cut_wrong_closing_tag", "also where the tag was begun", "html", "<p><i>x</", "\n", "div>", ""),
    Case("cut_wrong_closing_tag", "and where half of it is written", "html", "<ul><li>x</", "\n", "bo", ""),
    good("cut_wrong_closing_tag", "where nothing is open any closing tag may be right",
         "html", "<b>", "\n", "one</b> two</b>"),
    Case("cut_wrong_closing_tag", "the text opens and closes what it likes",
         "html", "<a>", "\n", "<b>x</b></i></a>", "<b>x</b>"),
    Case("cut_wrong_closing_tag", "in XML every element is closed by its name",
         "xml", "<item><link>x", "\n", "</item>", ""),
    good("cut_wrong_closing_tag", "the innermost element", "html", "<nav><ul>", "\n", "</ul></nav>"),
    good("cut_wrong_closing_tag", "half of it", "html", "<div><br></", "\n", "d"),
    good("cut_wrong_closing_tag", "an item needs no closing tag", "html", "<ul><li>one<li>two", "\n", "</ul>"),
    good("cut_wrong_closing_tag", "an image holds nothing", "html", "<a><img src='>'>", "\n", "</a>"),
    good("cut_wrong_closing_tag", "a page may be part of another", "html", "<br>\n", "\n", "</body>"),
    good("cut_wrong_closing_tag", "a script has no elements", "html",
         "<p><script>if (a<b) {", "\n", "x = '</div>'"),
    good("cut_wrong_closing_tag", "nor has a comment", "html", "<p><!-- <div>", "\n", "--></p>"),
    good("cut_wrong_closing_tag", "capitals say the same", "html", "<DIV>", "\n", "</div>"),
    good("cut_wrong_closing_tag", "after a fault in the page the rest is judged anew",
         "html", "<div><b></div><i>", "\n", "</i>"),
    good("cut_wrong_closing_tag", "other languages have no tags", "python", "x = '<a>", "\n", "</b>'"),
    Case("cut_comment_ramble", "a comment at the end leads nowhere",
         "python", "", "\n", "x = 1\n# Then", "x = 1"),
    Case("cut_comment_ramble", "with the marks of the language",
         "lua", "", "\n", "x = 1\n-- Then\n--", "x = 1"),
    Case("cut_comment_ramble", "four lines of comment are three too many for code",
         "go", "", "\n", "// a\n// b\n// c\n// d\nx()", "// a"),
    good("cut_comment_ramble", "a comment above its code", "go", "", "\n", "// Sum.\nfunc Sum() {"),
    good("cut_comment_ramble", "the cursor asked for a comment", "python", "# ", "\n", "one\n# two\n# three"),
    good("cut_comment_ramble", "a heading is no comment", "markdown", "", "\n", "text\n# Title"),
    good("cut_comment_ramble", "a preprocessor line is no comment", "c", "", "\n", "int x;\n#define Y"),
    Case("cut_near_copies", "nearly the line below",
         "python", "", f"\n{LINE}\n", "response = fetch( address )", ""),
    Case("cut_near_copies", "the line above again",
         "python", f"{LINE}\n", "\n", f"{LINE}\nshow(response)", ""),
    Case("cut_near_copies", "what comes before the copy stays",
         "python", "", f"\n{LINE}\n", f"address = home()\n{LINE}", "address = home()"),
    Case("cut_near_copies", "the cursor's own words count", "python", "response = ", f"\n{LINE}\n",
         "fetch(address)", ""),
    good("cut_near_copies", "another name makes another line",
         "python", "", "\nself.width = width\n", "self.height = height"),
    good("cut_near_copies", "other numbers make another line",
         "c", "table[10] = value;\n", "\n", "table[11] = value;"),
    good("cut_near_copies", "short lines are alike by chance", "c", "", "\nreturn 0;\n", "return 0;"),
    good("cut_near_copies", "lists repeat themselves", "markdown",
         "- one thing to remember\n", "\n", "- one thing to remember"),
    Case("cut_near_copies_of_others", "the head of the next block", "python",
         "def first(a):\n    ", "\n\ndef second(a, b):\n    pass\n",
         "call(a)\n    def second(a, b):", "call(a)"),
    good("cut_near_copies_of_others", "what another block says, too", "java",
         "void first() {\n    ", "\n}\n\nvoid second() {\n    Gson gson = new Gson();\n}\n",
         "Gson gson = new Gson();\n    gson.toJson(1);"),
    Case("cut_copied_block", "the body of the next block", "java",
         "void first() {\n    ", "\n}\n\nvoid second() {\n    a();\n    b();\n    c();\n}\n",
         "a();\n    b();", "a();"),
    Case("cut_copied_block", "a last line that stands below", "python",
         "def f(a):\n    if a:\n        ", "\n    return a\n",
         "call(a)\n        return a", "call(a)"),
    good("cut_copied_block", "one line of the next block", "java",
         "void first() {\n    ", "\n}\n\nvoid second() {\n    a();\n}\n", "a();"),
    good("cut_copied_block", "lines of the next block in another order", "java",
         "void first() {\n    ", "\n}\n\nvoid second() {\n    a();\n    b();\n}\n",
         "b();\n    a();"),
    good("cut_copied_block", "the word that ends most blocks", "ruby",
         "def f\n  ", "\nend\n", "if a\n    b\n  end"),
    Case("cut_to_fewest_errors", "a bracket that stays open costs its line",
         "javascript", "", "\n", "a();\nb(c, {", "a();"),
    Case("cut_to_fewest_errors", "so does a string", "python", "", "\n", "a = 1\nb = 'x", "a = 1"),
    good("cut_to_fewest_errors", "what is closed again stays", "c", "", "\n", "if (x) {\n  y();\n}"),
    good("cut_to_fewest_errors", "one line stands as it is", "c", "", "\n", "if (x) {"),
    good("cut_to_fewest_errors", "of equals the longest", "python", "def f():\n    ", "\n", "a()\n    b()"),
    Case("cut_to_fewest_errors", "a line that no grammar reads goes", "python",
         "def f():\n    ", "\n", "a()\n    for x in in y", "a()"),
    Case("cut_to_fewest_errors", "half a branch goes", "c", "int f() {\n  if (x) {\n    ", "\n}\n",
         "return x;\n  }\n  else else\n", "return x;\n  }"),
    Case("cut_to_fewest_errors", "an arrow that leads nowhere", "typescript", "", "\nlet z = 1;\n",
         "let a = b;\nlet c = => d;", "let a = b;"),
    good("cut_to_fewest_errors", "what the lines below close", "javascript",
         "f(", ");\n", "{\n  a: 1,\n  b: 2,\n}"),
    good("cut_to_fewest_errors", "a chain over lines", "rust",
         "fn f() {\n    let x = ", "\n}\n", "a()\n        .b()\n        .c();"),
    good("cut_to_fewest_errors", "a loop of a shell", "shellscript",
         "", "\n", 'for x in "$@"; do\n  echo "$x"\ndone'),
    good("cut_to_fewest_errors", "a comment that goes on", "javascript",
         "", "\n", "/**\n * Masks a buffer.\n * @param source"),
    good("cut_to_fewest_errors", "a comment in which the cursor is", "javascript",
         "/**\n * ", "\n", "Masks a buffer.\n * @param source"),
    good("cut_to_fewest_errors", "many lines up to their closer", "go", "package a\n\nvar a = ", "\n",
         "[]int{\n" + "\t1,\n" * 20 + "}"),
    Case("cut_trailing_junk", "closers and commas of nothing", "go",
         "package a\n\nfunc f() {\n\tx := ", "\n}\n", "total(rows),);", "total(rows)"),
    Case("cut_trailing_junk", "an operator without its right side", "python", "y = ", "\n", "x+", "x"),
    Case("cut_trailing_junk", "a dot behind the last call", "python", "y = f(x", "\n", ").", ")"),
    good("cut_trailing_junk", "a semicolon where it belongs", "c",
         "int f() {\n  ", "\n}\n", "return x;"),
    good("cut_trailing_junk", "a colon that begins a block", "python", "if x", "\n", " == 1:"),
    good("cut_trailing_junk", "a comma in a list", "python", "x = [1, ", "]\n", "2, 3,"),
    good("cut_trailing_junk", "an opener", "python", "x = ", "\n", "call("),
    good("cut_trailing_junk", "a full stop in a comment", "python", "# Say", "\n", " it."),
    good("cut_trailing_junk", "without a grammar nothing is junk", "lua", "x = ", "\n", "y);,"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.name}")
def test_what_a_rule_leaves(case):
    rule = getattr(language_filters, case.rule)

    assert case.left == rule(case.written, Hole(case.prefix, case.suffix), language(case.language))


def test_every_rule_has_good_and_bad_cases():
    for rule in {*LANGUAGE_RULES, *LANGUAGE_RULES_FOR_BLOCK}:
        mine = [case for case in CASES if case.rule == rule.__name__]
        assert {True, False} == {case.left == case.written for case in mine}, rule.__name__


@pytest.mark.parametrize(
    ("prefix", "suffix", "inside"),
    [
        ("na", "me", True),
        ("na", "", False),
        ("", "me", False),
        ("na", ")", False),
        ("f(", "a", False),
    ],
)
def test_between_two_letters_is_inside_a_word(prefix, suffix, inside):
    assert inside is is_inside_word(Hole(prefix, suffix))


@pytest.mark.parametrize(
    ("text", "short"), [("", True), (")", True), ("):", True), ("\n   x\n", True), ("foo", False)]
)
def test_two_characters_are_not_worth_the_tab_key(text, short):
    assert short is is_too_short(text)


parts = st.text("ab()[]{}:,\"'`#/*- \n\t;>é", max_size=40)


@given(parts, parts, parts, st.sampled_from([*language_ids(), "", "brainfuck"]))
def test_no_rule_fails_or_makes_a_text_longer_in_any_language(written, prefix, suffix, name):
    for rule in {*LANGUAGE_RULES, *LANGUAGE_RULES_FOR_BLOCK}:
        left = rule(written, Hole(prefix, suffix), language(name))
        assert written.startswith(left)


def test_the_twelve_languages_most_used_are_known():
    """Languages of the Stack Overflow survey of 2025, without the markup languages."""
    used = ("javascript", "sql", "python", "shellscript", "typescript", "java", "csharp", "cpp",
            "c", "php", "go", "rust")  # fmt: skip

    assert all(language(name).line_comments and language(name).extensions for name in used)


@pytest.mark.parametrize(
    ("name", "id_"),
    [("a.py", "python"), ("dir.d/Makefile", "makefile"), ("x.tsx", "typescriptreact"),
     ("C:\\src\\main.rs", "rust"), ("notes", "plaintext"), (".env", "plaintext"), ("a.b.md", "markdown")],
)  # fmt: skip
def test_a_file_name_tells_the_language(name, id_):
    assert id_ == language_id(name)
