"""Snippets from other open documents: whole lines, those that share names, best first."""

from fim_lsp.context import gather
from fim_lsp.document import DocumentSnapshot


def document(uri: str, text: str, language: str = "python") -> DocumentSnapshot:
    return DocumentSnapshot(uri, language, 1, text, len(text), path=uri.rpartition("/")[2])


HERE = document("file:///here.py", "from shop import Inventory\n\nstock = Inventory()\nstock.")
SHOP = document(
    "file:///shop.py", "\n" * 30 + "class Inventory:\n    def stock(self):\n        pass\n"
)
OTHER = document("file:///other.py", "class Weather:\n    temperature = 21\n")


def test_the_document_that_shares_names_comes_with_its_lines_and_path():
    (snippet,) = gather(HERE, [OTHER, SHOP])

    assert "shop.py" == snippet.path
    assert "class Inventory:" in snippet.text
    assert set(snippet.text.splitlines()) <= set(SHOP.text.splitlines())


def test_the_more_alike_document_comes_first():
    close = document("file:///close.py", "stock = Inventory()\nfrom shop import Inventory\n")

    assert ["close.py", "shop.py"] == [snippet.path for snippet in gather(HERE, [SHOP, close])]


def test_the_document_itself_is_no_context():
    assert () == gather(HERE, [HERE])


def test_a_cursor_without_names_around_it_gets_nothing():
    assert () == gather(document("file:///new.py", "\n\n"), [SHOP])


def test_the_comment_mark_is_that_of_the_snippets_language():
    script = document("file:///shop.js", "class Inventory { stock() {} }\n", "javascript")

    assert "//" == gather(HERE, [script])[0].line_comment


def test_a_huge_document_is_read_in_part_only():
    huge = document("file:///huge.py", "Inventory = stock\n" * 1_000_000)

    assert len(gather(HERE, [huge])[0].text) < 1000
