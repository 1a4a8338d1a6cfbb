"""Snippets from other open documents: whole lines, those that share names, best first."""

from dataclasses import replace
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from fim_lsp import context
from fim_lsp.context import Source
from fim_lsp.document import DocumentSnapshot

gather = partial(context.gather, clock=lambda: 0.0)
"""Gathers without a limit on the time, which a busy machine would reach."""


def document(uri: str, text: str, language: str = "python") -> DocumentSnapshot:
    return DocumentSnapshot(uri, language, 1, text, len(text), path=uri.rpartition("/")[2])


HERE = document("file:///here.py", "from shop import Inventory\n\nstock = Inventory()\nstock.")
SHOP = document(
    "file:///shop.py", "\n" * 30 + "class Inventory:\n    def stock(self):\n        pass\n"
)
OTHER = document("file:///other.py", "class Weather:\n    temperature = 21\n")


def test_the_document_that_shares_names_comes_with_its_lines_and_path():
    (snippet,) = gather(HERE, [OTHER, SHOP]).snippets

    assert "shop.py" == snippet.path
    assert "class Inventory:" in snippet.text
    assert set(snippet.text.splitlines()) <= set(SHOP.text.splitlines())


def test_the_more_alike_document_comes_first():
    close = document("file:///close.py", "stock = Inventory(shop)\n")
    far = document("file:///far.py", "stock = Weather(rain, wind, snow)\n")

    assert ["close.py", "far.py"] == [
        snippet.path for snippet in gather(HERE, [far, close]).snippets
    ]


def test_the_document_itself_is_no_context():
    assert () == gather(HERE, [HERE]).snippets


def test_a_cursor_without_names_around_it_gets_nothing():
    assert () == gather(document("file:///new.py", "\n\n"), [SHOP]).snippets


def test_the_comment_mark_is_that_of_the_snippets_language():
    script = document("file:///shop.js", "class Inventory { stock() {} }\n", "javascript")

    assert "//" == gather(HERE, [script]).snippets[0].line_comment


def test_a_huge_document_is_read_in_part_only():
    huge = document("file:///huge.py", "Inventory = stock\n" * 1_000_000)

    assert len(gather(HERE, [huge]).snippets[0].text) < 1000


def test_the_definition_of_an_imported_name_comes_before_what_is_merely_alike():
    alike = document("file:///alike.py", "stock = shop(Inventory)\n")

    gathered = gather(HERE, [alike, SHOP])

    assert ("shop.py", Source.IMPORTS) == (gathered.snippets[0].path, gathered.sources[0])


def test_the_region_that_was_edited_last_says_so():
    text = "stock = 1\n" * 30 + "\n\ndef refill(stock):\n    return Inventory(stock)\n"
    edited = replace(document("file:///edited.py", text), offset=text.index("return"))

    gathered = gather(HERE, [edited])

    assert Source.EDITS in gathered.sources
    assert "def refill" in gathered.snippets[gathered.sources.index(Source.EDITS)].text


def test_files_of_the_workspace_are_twins_siblings_or_nothing():
    here = replace(HERE, uri="file:///w/a/stock.py", path="a/stock.py")
    files = [
        replace(document(f"file:///w/{path}", f"stock = Inventory  # {mark}\n"), path=path)
        for path, mark in (
            ("tests/test_stock.py", "one two three four"),
            ("a/cart.py", "five sixth seventh"),
            ("b/far.py", "eighth ninth tenth"),
        )
    ]

    gathered = gather(here, [], lambda names: files)

    assert {"tests/test_stock.py": Source.TEST_OR_HEADER, "a/cart.py": Source.SAME_FOLDER} == dict(
        zip((snippet.path for snippet in gathered.snippets), gathered.sources, strict=True)
    )


def test_each_source_can_be_switched_off():
    for source in Source:
        gathered = gather(HERE, [OTHER, SHOP], sources=frozenset(Source) - {source})
        assert source not in gathered.sources


def test_a_near_copy_is_shown_once():
    copies = [
        document(f"file:///copy{n}.py", "stock = Inventory()\nshop(stock)\n") for n in range(3)
    ]

    assert 1 == len(gather(HERE, copies).snippets)


def test_what_stands_in_the_document_already_is_no_news():
    copy = document("file:///copy.py", "from shop import Inventory\n\nstock = Inventory()\n")

    assert () == gather(HERE, [copy]).snippets


def test_when_the_time_is_over_there_is_what_was_looked_at_by_then():
    close = document("file:///close.py", "stock = Inventory()\nfrom shop import Inventory as I\n")
    ticks = iter([0.0, 0.001, 0.031])

    gathered = gather(HERE, [SHOP, close], clock=lambda: next(ticks))

    assert ["shop.py"] == [snippet.path for snippet in gathered.snippets]


@given(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=40))
def test_typing_on_a_line_changes_no_snippet(typed):
    text = HERE.text + typed
    now = replace(HERE, text=text, offset=len(text))

    assert gather(HERE, [OTHER, SHOP]) == gather(now, [OTHER, SHOP])


@given(st.permutations([OTHER, SHOP, document("file:///close.py", "stock = Inventory(1)\n")]))
def test_visiting_documents_in_another_order_changes_no_snippet(others):
    assert gather(HERE, [OTHER, SHOP, others[0], others[1], others[2]]) == gather(HERE, others)
