"""Holes at the level of the context: documents follow each other, and none reaches into the next."""

import pytest
from attrs import evolve

from model_runtime.prompt.orders import FimTokens
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training.batches import RowSource
from model_runtime.training.context_rows import MIN_TEXT_IDS, contexts, piece_end, reserved
from model_runtime.training.encode import Encoder, Example


def encoder_of(source: RowSource, **data: object) -> Encoder:
    level = {"level": "context", "windows_per_document": 0, "snippet_rate": 0.0}
    return evolve(source, data=evolve(source.data, **{**level, **data})).open().encoder


def text_of(sequence: Example, tokens: FimTokens, tokenizer: FimTokenizer) -> str:
    """Prefix, middle and suffix of an `spm1` sequence joined again; or its text."""
    ids = sequence.ids
    if ids[0] != tokens.suffix:
        return tokenizer.decode([id_ for id_ in ids if id_ != tokens.end])
    prefix, middle = ids.index(tokens.prefix), ids.index(tokens.middle)
    parts = ids[prefix + 1 : middle], ids[middle + 1 : -1], ids[1:prefix]
    assert ids[-1] == tokens.end
    return "".join(tokenizer.decode(part) for part in parts)


@pytest.mark.parametrize("fim_rate", [0.0, 0.5, 1.0])
def test_the_pieces_of_all_rows_join_to_the_documents_again(
    fim_rate: float, source: RowSource, tokens: FimTokens, tokenizer: FimTokenizer
):
    encoder = encoder_of(
        source, fim_rate=fim_rate, orders={"spm1": 1.0}, spans={"character": 1.0}, no_suffix_rate=0
    )
    numbers = [3, 0, 7, 11]
    rows = list(contexts(encoder, numbers, epoch=0))
    found = "".join(text_of(s, tokens, tokenizer) for row in rows for s in row)

    assert "".join(encoder.documents.text(number) for number in numbers) == found
    assert len(rows) > 4


def test_a_row_is_full_and_never_longer_than_the_context(source: RowSource):
    encoder = encoder_of(source, fim_rate=0.9)
    rows = list(contexts(encoder, range(10), epoch=0))
    lengths = [sum(len(sequence.ids) for sequence in row) for row in rows]

    assert max(lengths) <= encoder.context
    # What stays free is less than a piece needs, or than was kept back for tokens that are cut.
    least = encoder.context - MIN_TEXT_IDS - 2 * reserved(encoder)
    assert all(length > least for length in lengths[:-1])


def test_the_border_between_two_documents_has_its_end(source: RowSource, tokens: FimTokens):
    """[END, END] of an empty neighbour is not swallowed, and no END is missing or doubled."""
    encoder = encoder_of(source, fim_rate=0.0)
    numbers = range(8)
    ids = [id_ for row in contexts(encoder, numbers, 0) for s in row for id_ in s.ids]
    rows = len(list(contexts(encoder, numbers, 0)))

    # One behind each document, and one in front of each row.
    assert ids.count(tokens.end) == len(numbers) + rows


def test_each_document_of_a_row_can_have_a_hole_also_behind_the_last_end(
    source: RowSource, tokens: FimTokens
):
    encoder = encoder_of(source, fim_rate=0.5)
    rows = [row for epoch in range(12) for row in contexts(encoder, range(10), epoch)]
    several = [row for row in rows if len(row) > 1]

    assert any(row[0].ids[0] != tokens.end for row in several)
    assert any(tokens.middle in row[-1].ids for row in several)
    assert any(tokens.middle not in row[-1].ids for row in several)


def test_a_piece_ends_between_characters_and_fits(source: RowSource):
    encoder = encoder_of(source)
    text = "\u4f60\u597d, \U0001f600 = '\u00fc' " * 50
    at, pieces = 0, []
    while at < len(text):
        end = piece_end(encoder, text, at, 40)
        pieces.append(text[at:end])
        at = end

    assert text == "".join(pieces)
    assert all(len(encoder.tokenizer.encode(piece)) <= 44 for piece in pieces)
    assert len(pieces) > 5


def test_blocks_at_the_level_of_the_context_hold_rows_of_several_documents(source: RowSource):
    data = evolve(source.data, level="context", windows_per_document=0, snippet_rate=0.0)
    context = evolve(source, data=data)
    one, other = context.open().make(0), context.open().make(0)

    assert (one.rows.ids_RT == other.rows.ids_RT).all()
    assert any(len(lengths) > 1 for lengths in one.rows.lengths)
    assert 0.5 < one.bytes_per_token < 6
