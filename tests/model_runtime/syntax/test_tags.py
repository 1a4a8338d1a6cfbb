"""Closing tags are judged by the elements that are open, in whole pages and in half of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.syntax.languages import language
from model_runtime.syntax.tags import wrong_closing_tag

HTML = language("html")


@pytest.mark.parametrize(
    ("prefix", "text", "wrong"),
    [
        ("<ul><li>", "one</li>\n</div>", 9),
        ("<ul><li>one</", "div>", 0),
        ("<ul><li>one</", "u", None),
        ("<ul><li>one</", "l", None),
        ("<ul><li>one</", "a", 0),
        ("<ul></ul>", "</div>", None),
        ("<p {% if a > b %}class='x'>", "</p>", None),
        ('<a title="</b>">', "</a>", None),
        ("<p><br/><img>", "</p>", None),
        ("<div\n  class='a'\n>", "</div\n>", None),
        ("<style>a > b { c: '</p>' }</style><b>", "</b>", None),
        ("<p>1 < 2</p><b>", "</b>", None),
        ("", "", None),
    ],
)
def test_a_tag_may_close_the_innermost_element_alone(prefix, text, wrong):
    assert wrong == wrong_closing_tag(prefix, text, HTML)


@pytest.mark.parametrize(
    "prefix",
    ["<a" * 10_000, '<a "' * 5_000, "</" * 10_000, "<!--" * 5_000, "<script" * 3_000,
     "<script>" * 2_500, "<a href='" * 2_000, "<b>" * 6_000, "</b " * 5_000, "<a \"'" * 4_000],
    ids=lambda prefix: prefix[:9],
)  # fmt: skip
def test_half_tags_without_end_are_read_in_one_go(prefix):
    assert wrong_closing_tag(prefix, "text", HTML) is None


@given(*[st.text("<>/ab\"'!- \n=", max_size=40)] * 2, st.sampled_from(["html", "xml", "python"]))
def test_any_text_has_a_wrong_tag_inside_of_it_or_none(prefix, text, name):
    wrong = wrong_closing_tag(prefix, text, language(name))

    assert wrong is None or 0 <= wrong < len(text)
