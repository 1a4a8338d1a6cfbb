"""Faults that public implementations of the transform had, and two of our own; a test for each."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.errors import BundleError
from model_runtime.fim_format import FimTokens, Order
from model_runtime.prompt import CompletionRequest, Hole, PromptEncoder
from model_runtime.tokenizer import FimTokenizer
from model_runtime.training.batches import Source
from model_runtime.training.encode import Sequence, left_to_right
from model_runtime.training.holes import character_span
from model_runtime.training.packing import lay, pack


def sequences(source: Source, context: int = 256, **data: object) -> list[Sequence]:
    changed = replace(source, data=replace(source.data, **data), context=context)
    encoder = changed.open().encoder
    return [s for n in range(len(encoder.documents)) for s in encoder.sequences(n, epoch=0)]


def test_cuts_are_sorted():
    rng = random.Random(0)
    for _ in range(10_000):
        first, second = character_span("x" * 50, rng)
        assert 0 <= first <= second <= 50


def test_a_sentinel_that_is_a_word_of_the_vocabulary_is_refused(
    tokenizer: FimTokenizer, tokens: FimTokens
):
    word = tokenizer.encode("return")[0]

    with pytest.raises(BundleError, match="not a special token"):
        PromptEncoder(tokenizer, replace(tokens, suffix=word), Order.SPM1)


def test_what_follows_the_last_document_end_can_have_a_hole(source: Source, tokens: FimTokens):
    data = replace(source.data, level="context", fim_rate=1.0, snippet_rate=0.0)
    rows = replace(source, data=replace(data, windows_per_document=0)).open().make(0).rows

    for ids, lengths in zip(rows.ids_RT.tolist(), rows.lengths, strict=True):
        last = ids[sum(lengths[:-1]) : sum(lengths)]
        assert tokens.middle in last and tokens.end == last[-1]


def test_rows_differ_from_rows_without_holes(source: Source):
    assert sequences(source, fim_rate=1.0) != sequences(source, fim_rate=0.0)


def test_adjacent_leading_and_trailing_ends_survive():
    table = lay([[[7], [7, 5, 7], [7]], [[7, 7]]], 6, 0).ids_RT.tolist()

    assert [[7, 7, 5, 7, 7, 0], [7, 7, 0, 0, 0, 0]] == table


@pytest.mark.parametrize("order", ["psm", "spm1", "spm2"])
@pytest.mark.parametrize("context", [32, 64, 256])
def test_end_follows_every_middle_however_small_the_context(
    source: Source, tokens: FimTokens, order: str, context: int
):
    found = sequences(source, context, fim_rate=1.0, orders={order: 1.0})
    written = [sequence.ids for sequence in found if sequence.ids]

    assert len(written) > 10
    for ids in written:
        assert tokens.end == ids[-1] and 1 == ids.count(tokens.end)
        assert len(ids) <= context
    left_out = Counter(sequence.kind for sequence in found if not sequence.ids)
    assert set(left_out) <= {"too long"}
    assert context > 64 or left_out["too long"] > 0  # counted, not silently dropped


def test_what_is_left_out_is_counted_in_its_block(source: Source):
    small = replace(source, context=32, data=replace(source.data, fim_rate=1.0)).open()
    found = [s for n in small.documents_of(0) for s in small.encoder.sequences(n, epoch=0)]

    assert sum(not s.ids for s in found) == small.make(0).too_long > 0


def test_the_prefix_stands_behind_its_sentinel_and_the_suffix_behind_its_own(
    tokenizer: FimTokenizer, tokens: FimTokens
):
    for order in Order:
        prompt = PromptEncoder(tokenizer, tokens, order)
        ids = prompt.example(CompletionRequest(Hole("before", "after")), "!", 64).ids
        suffix = tokenizer.encode("after")
        at = ids.index(tokens.suffix) + 1
        assert suffix == ids[at : at + len(suffix)]


def test_no_two_documents_share_their_coins(source: Source):
    encoder = source.open().encoder
    drawn = [encoder.read(number, 0) for number in range(10)]

    assert 10 == len({reading.rng.random() for reading in drawn if reading})


def test_documents_read_in_another_order_have_the_same_sequences(source: Source):
    forward, backward = source.open().encoder, source.open().encoder
    numbers = range(6)
    expected = {n: list(forward.sequences(n, 2)) for n in numbers}

    assert expected == {n: list(backward.sequences(n, 2)) for n in reversed(numbers)}


def test_no_text_begins_or_ends_inside_a_character(source: Source, tokenizer: FimTokenizer):
    for sequence in sequences(source, spans={"character": 0.5, "token": 0.5}):
        assert "\ufffd" not in tokenizer.decode(sequence.ids)


def test_no_row_has_padding_inside(source: Source, tokens: FimTokens):
    rows = source.open().make(0).rows
    for ids, lengths in zip(rows.ids_RT.tolist(), rows.lengths, strict=True):
        assert tokens.pad not in ids[: sum(lengths)]


def test_packing_starts_no_document_in_the_middle_of_another():
    rows = pack([[1, 1], [2, 2], [3, 3]], 4, 0, random.Random(0))

    for ids, lengths in zip(rows.ids_RT.tolist(), rows.lengths, strict=True):
        assert all(len(set(ids[i * 2 : i * 2 + 2])) == 1 for i in range(len(lengths)))


def test_the_rate_lies_in_its_binomial_interval(source: Source):
    found = sequences(source, fim_rate=0.7, windows_per_document=0, window_tokens=(20, 40))
    holes = sum(sequence.kind != "ltr" for sequence in found)
    n = len(found)

    assert n > 300
    assert abs(holes - 0.7 * n) < 4 * (0.21 * n) ** 0.5


@given(st.lists(st.integers(5, 99), max_size=40), st.integers(3, 12), st.booleans(), st.booleans())
@settings(max_examples=200)
def test_text_without_a_hole_loses_neither_words_nor_its_end(
    text: list[int], most: int, begins: bool, ends: bool
):
    """A window that was longer than the context lost its tail, END included, but not its bytes."""
    tokens = FimTokens(end=0, suffix=1, prefix=2, middle=3)
    pieces = list(left_to_right(tokens, text, most, begins, ends))

    assert all(len(piece) <= most for piece in pieces)
    assert text == [id_ for piece in pieces for id_ in piece if id_]
    assert not text or not ends or 0 == pieces[-1][-1]
    assert len(pieces) - 1 + begins + ends == sum(piece.count(0) for piece in pieces)


def test_bytes_per_token_count_what_is_in_the_rows(source: Source, tokenizer: FimTokenizer):
    blocks = replace(source, context=64).open()
    block = blocks.make(0)
    ids = [id_ for row in block.rows.ids_RT.tolist() for id_ in row]
    special = {tokenizer.id_of(name) for name in ("<|pad|>", "<|SUF|>", "<|PRE|>", "<|MID|>")}
    special |= {tokenizer.id_of("<|endoftext|>"), tokenizer.id_of("<|file|>")}
    text = sum(int(blocks.encoder.bytes_of_ids[id_]) for id_ in ids if id_ not in special)

    assert text / sum(map(sum, block.rows.lengths)) == pytest.approx(block.bytes_per_token)
    sample = "a = '\u00fc\U0001f600'\n\n    b"
    assert len(sample.encode()) == blocks.encoder.bytes_of_ids[tokenizer.encode(sample)].sum()
