"""Each fault of a public FIM transform, as a promise that ours keeps.

Where each was seen is in docs/training.md, "What went wrong elsewhere".
"""

import dataclasses
import math
from collections import Counter

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.errors import BundleError
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptEncoder, PromptRequest
from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training.batches import START, RowSource, RowStream
from model_runtime.training.encode import TOO_LONG, Example, left_to_right
from model_runtime.training.packing import rows_from
from tests.model_runtime.training.conftest import python_text


def drawn(source: RowSource, epoch: int = 0, context: int = 256, **data: object) -> list[Example]:
    changed = evolve(source, context=context, data=evolve(source.data, **data))
    encoder = changed.open().encoder
    return [s for n in range(len(encoder.documents)) for s in encoder.sequences(n, epoch)]


def test_no_middle_is_empty_because_the_cuts_were_not_sorted(source: RowSource, tokens: FimTokens):
    """Half of all draws had an empty middle."""
    found = drawn(source, fim_rate=1.0, spans={"character": 1.0}, orders={"spm1": 1.0})
    empty = sum(s.ids[-2] == tokens.middle for s in found if s.ids)

    assert len(found) > 60
    assert empty < len(found) / 20


def test_no_sentinel_is_a_word_of_the_vocabulary(tokenizer: FimTokenizer, tokens: FimTokens):
    texts = [python_text(seed) for seed in range(20)] + ["  ", " " * 40, "<|SUF|><|PRE|><|MID|>"]

    assert not set(tokens.all()) & {id_ for text in texts for id_ in tokenizer.encode(text)}


def test_what_is_drawn_is_what_is_trained_on(source: RowSource):
    """The result of the transform was computed and dropped."""
    data = evolve(source.data, fim_rate=1.0)
    with_holes = evolve(source, data=data).open().make(0).rows
    without = evolve(source, data=evolve(data, fim_rate=0.0)).open().make(0).rows

    assert with_holes.ids_RT.tolist() != without.ids_RT.tolist()


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9, 1.0])
def test_the_rate_of_holes_is_the_one_asked_for_zero_and_one_included(
    source: RowSource, rate: float
):
    """0.0 was refused, since it is falsy."""
    found = [s for epoch in range(6) for s in drawn(source, epoch, fim_rate=rate)]
    holes = sum(s.kind != "ltr" for s in found)

    assert abs(holes - rate * len(found)) <= 4 * math.sqrt(len(found) * rate * (1 - rate))


@pytest.mark.parametrize("order", ["spm1", "psm", "spm2"])
def test_one_order_alone_can_be_had(source: RowSource, order: str):
    assert drawn(source, fim_rate=1.0, orders={order: 1.0})


@pytest.mark.parametrize("context", [48, 96, 256])
def test_the_end_of_a_middle_is_never_cut_off(source: RowSource, tokens: FimTokens, context: int):
    """Three more ids for each document pushed it off the row, and models never learned to stop."""
    spans = {"line": 1.0, "character": 1.0, "syntax": 1.0, "rest-of-line": 1.0}
    found = drawn(source, context=context, fim_rate=1.0, window_tokens=(20, 120), spans=spans)
    whole = [s for s in found if s.ids]

    assert whole
    assert all(s.ids[-1] == tokens.end and len(s.ids) <= context for s in whole)
    assert all(s.ids.count(tokens.middle) == 1 for s in whole)
    assert all(s.kind == TOO_LONG for s in found if not s.ids)


def test_the_suffix_gives_way_first_then_the_prefix(tokenizer: FimTokenizer, tokens: FimTokens):
    """Padding or cutting changed whichever part stood last."""
    encoder = PromptEncoder(tokenizer, PromptFormat.of_order(Order.SPM1, tokens))
    request = PromptRequest(Hole("a = 1\n" * 20, "b = 2\n" * 40))
    middle = "c = 3\n"
    sizes = {}
    for most in (400, 230, 60):
        ids = encoder.example(request, middle, most).ids
        prefix, middle_at = ids.index(tokens.prefix), ids.index(tokens.middle)
        sizes[most] = (prefix - 1, middle_at - prefix - 1)
        assert tokenizer.decode(ids[middle_at + 1 : -1]) == middle
        assert len(ids) <= most

    assert sizes[400][0] > sizes[230][0]
    assert sizes[400][1] == sizes[230][1]
    assert sizes[230][1] > sizes[60][1]


def test_a_prompt_has_the_suffix_behind_the_suffix_sentinel(
    tokenizer: FimTokenizer, tokens: FimTokens
):
    """The reference model's public generator had exchanged them."""
    prompt = PromptEncoder(tokenizer, PromptFormat.of_order(Order.SPM1, tokens)).prompt(
        PromptRequest(Hole("before", "after")), PromptBudget(tokens=100)
    )
    expected = [tokens.suffix, *tokenizer.encode("after"), tokens.prefix]

    assert expected == list(prompt.ids[: len(expected)])


def test_no_two_blocks_share_their_draws(source: RowSource):
    """A stream that was made anew for each buffer gave the same coins each time."""
    kinds = [tuple(s.kind for s in drawn(source, epoch, fim_rate=0.5)) for epoch in range(4)]

    assert len(set(kinds)) == 4


@pytest.mark.parametrize("level", ["document", "context"])
def test_rows_are_the_same_for_any_number_of_workers_and_after_a_restart(
    source: RowSource, level: str
):
    """A sequential stream gave every rank the same rows, and lost its place."""
    data = evolve(source.data, level=level, snippet_rate=0.0, windows_per_document=0)
    changed, made = evolve(source, data=data), []
    for workers in (0, 2):
        with RowStream(changed, START, workers) as stream:
            made.append(stream.take(40).ids_RT.tolist())
            place = stream.place
    with RowStream(changed, START, 0) as stream:
        following = stream.take(80).ids_RT.tolist()[40:]
    with RowStream(changed, place, 2) as stream:
        assert following == stream.take(40).ids_RT.tolist()

    assert made[0] == made[1]


def test_nothing_that_was_cut_inside_a_character_is_learned(source: RowSource, tokens: FimTokens):
    """U+FFFD was, where a context began inside a UTF-8 sequence."""
    found = drawn(source, fim_rate=1.0, spans={"character": 1.0}, orders={"spm1": 1.0})
    tokenizer = source.open().encoder.tokenizer
    for sequence in found:
        ids, parts = sequence.ids, []
        prefix, middle = ids.index(tokens.prefix), ids.index(tokens.middle)
        parts = [ids[1:prefix], ids[prefix + 1 : middle], ids[middle + 1 : -1]]
        assert not any("\ufffd" in tokenizer.decode(part) for part in parts)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_decoding_the_parts_gives_the_text_back(
    tokenizer: FimTokenizer, tokens: FimTokens, text: str, first: int, second: int
):
    """Text is cut, then encoded: no token of the whole text has to be taken apart."""
    text = text.encode("utf-8", "replace").decode()
    low, high = sorted((min(first, len(text)), min(second, len(text))))
    encoder = PromptEncoder(tokenizer, PromptFormat.of_order(Order.SPM1, tokens))
    hole = Hole(text[:low], text[high:])
    ids = encoder.example(PromptRequest(hole), text[low:high], 2000).ids
    prefix, middle = ids.index(tokens.prefix), ids.index(tokens.middle)
    parts = ids[prefix + 1 : middle], ids[middle + 1 : -1], ids[1:prefix]

    assert text == "".join(tokenizer.decode(part) for part in parts)


def test_no_padding_is_learned(source: RowSource, tokens: FimTokens):
    found = drawn(source)
    rows = source.open().make(0).rows

    assert tokens.pad is not None
    assert not any(tokens.pad in s.ids for s in found)
    for line, lengths in zip(rows.ids_RT.tolist(), rows.lengths, strict=True):
        assert tokens.pad not in line[: sum(lengths)]


@given(
    st.lists(st.integers(10, 99), max_size=40),
    st.integers(3, 12),
    st.booleans(),
    st.booleans(),
)
def test_text_without_a_hole_loses_neither_its_end_nor_anything_else(
    ids: list[int], most: int, begins: bool, ends: bool
):
    """END was appended, and cut off again with what was too long."""
    tokens = FimTokens(end=0, suffix=1, prefix=2, middle=3)
    pieces = list(left_to_right(tokens, ids, most, begins, ends))
    flat = [id_ for piece in pieces for id_ in piece]

    assert ids == [id_ for id_ in flat if id_ != 0]
    assert all(len(piece) <= most for piece in pieces)
    assert ends == (len(flat) > 0 and flat[-1] == 0 and len(pieces[-1]) > begins)
    assert Counter(flat)[0] == (len(pieces) if begins else len(pieces) - 1) + ends


def test_a_sentinel_that_is_a_word_of_the_vocabulary_is_refused(
    tokenizer: FimTokenizer, tokens: FimTokens
):
    word = tokenizer.encode("return")[0]

    with pytest.raises(BundleError, match="not a special token"):
        changed = dataclasses.replace(tokens, suffix=word)
        PromptEncoder(tokenizer, PromptFormat.of_order(Order.SPM1, changed))


def test_adjacent_leading_and_trailing_ends_survive():
    table = rows_from([[[7], [7, 5, 7], [7]], [[7, 7]]], 6, 0).ids_RT.tolist()

    assert [[7, 7, 5, 7, 7, 0], [7, 7, 0, 0, 0, 0]] == table


def test_what_is_left_out_is_counted_in_its_block(source: RowSource):
    small = evolve(source, context=32, data=evolve(source.data, fim_rate=1.0)).open()
    found = [s for n in small.documents_of(0) for s in small.encoder.sequences(n, epoch=0)]

    assert sum(not s.ids for s in found) == small.make(0).too_long > 0


def test_documents_read_in_another_order_have_the_same_sequences(source: RowSource):
    forward, backward = source.open().encoder, source.open().encoder
    numbers = range(6)
    expected = {n: list(forward.sequences(n, 2)) for n in numbers}

    assert expected == {n: list(backward.sequences(n, 2)) for n in reversed(numbers)}


def test_bytes_per_token_count_what_is_in_the_rows(source: RowSource, tokenizer: FimTokenizer):
    blocks = evolve(source, context=64).open()
    block = blocks.make(0)
    ids = [id_ for row in block.rows.ids_RT.tolist() for id_ in row]
    special = {tokenizer.id_of(name) for name in ("<|pad|>", "<|SUF|>", "<|PRE|>", "<|MID|>")}
    special |= {tokenizer.id_of("<|endoftext|>"), tokenizer.id_of("<|file|>")}
    text = sum(int(blocks.encoder.bytes_of_ids[id_]) for id_ in ids if id_ not in special)

    assert text / sum(map(sum, block.rows.lengths)) == pytest.approx(block.bytes_per_token)
    sample = "a = '\u00fc\U0001f600'\n\n    b"
    assert len(sample.encode()) == blocks.encoder.bytes_of_ids[tokenizer.encode(sample)].sum()
