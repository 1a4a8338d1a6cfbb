"""Holes at the level of the context: documents in a row, END between them."""

from dataclasses import replace

import pytest

from model_runtime.fim_format import FimTokens
from model_runtime.tokenizer import FimTokenizer
from model_runtime.training.batches import START, RowStream, Source
from model_runtime.training.contexts import LEAST, RESERVED, contexts


def seeds_source(source: Source, **data: object) -> Source:
    """The seed's transform: two free cuts, suffix first, at the level of the context."""
    settings = {
        "level": "context",
        "spans": {"character": 1.0},
        "orders": {"spm1": 1.0},
        "no_suffix_rate": 0.0,
        "snippet_rate": 0.0,
        "windows_per_document": 0,
        **data,
    }
    return replace(source, data=replace(source.data, **settings))


def plain(ids: list[int], tokens: FimTokens) -> list[int]:
    return [id_ for id_ in ids if id_ not in tokens.all()]


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_no_row_is_longer_than_the_context_and_all_but_the_last_are_nearly_full(
    source: Source, rate: float
):
    encoder = seeds_source(source, fim_rate=rate).open().encoder
    rows = list(contexts(encoder, range(8), epoch=0))
    lengths = [sum(len(sequence.ids) for sequence in row) for row in rows]

    assert len(rows) > 10
    assert max(lengths) <= source.context
    assert min(lengths[:-1]) > source.context - LEAST - RESERVED - RESERVED


def test_without_holes_the_rows_are_the_documents_with_end_between_them(
    source: Source, tokens: FimTokens, tokenizer: FimTokenizer
):
    encoder = seeds_source(source, fim_rate=0.0).open().encoder
    numbers = [3, 1, 2]
    rows = list(contexts(encoder, numbers, epoch=0))
    tape = []
    for row in rows:
        ids = [id_ for sequence in row for id_ in sequence.ids]
        assert tokens.end == ids[0]  # a row begins with END, whatever it begins with
        tape += ids[1:]

    documents = [encoder.documents.text(number) for number in numbers]
    assert 3 == tape.count(tokens.end)
    assert documents == tokenizer.decode(tape).split("<|endoftext|>")[:-1]


def test_every_piece_with_a_hole_ends_with_end_and_joins_to_its_piece(
    source: Source, tokens: FimTokens, tokenizer: FimTokenizer
):
    encoder = seeds_source(source, fim_rate=1.0).open().encoder
    documents = [encoder.documents.text(number) for number in range(4)]
    for row in contexts(encoder, range(4), epoch=0):
        for sequence in row:
            ids = sequence.ids
            suffix_end, middle_at = ids.index(tokens.prefix), ids.index(tokens.middle)
            assert tokens.suffix == ids[0] and tokens.end == ids[-1]
            assert [1, 1, 1, 1] == [ids.count(id_) for id_ in (ids[0], ids[-1], *tokens.all()[2:4])]
            prefix, middle = ids[suffix_end + 1 : middle_at], ids[middle_at + 1 : -1]
            text = tokenizer.decode(prefix) + tokenizer.decode(middle)
            text += tokenizer.decode(ids[1:suffix_end])
            assert any(text in document for document in documents)


def test_a_row_holds_several_documents_whose_pieces_never_merge(source: Source):
    """Short documents: every document's text lies in sequences of its own."""
    encoder = seeds_source(source, fim_rate=0.9).open().encoder
    wide = replace(encoder, context=100_000)
    (row,) = contexts(wide, range(5), epoch=0)

    assert 5 == len(row)


@pytest.mark.parametrize("workers", [0, 2])
def test_rows_do_not_depend_on_workers_or_restarts(source: Source, workers: int):
    seeds = seeds_source(source)
    with RowStream(seeds, START, 0) as stream:
        expected = stream.take(9).ids_RT.tolist()
    with RowStream(seeds, START, workers) as stream:
        first, place = stream.take(4).ids_RT.tolist(), stream.place
    with RowStream(seeds, place, workers) as stream:
        assert expected == first + stream.take(5).ids_RT.tolist()
