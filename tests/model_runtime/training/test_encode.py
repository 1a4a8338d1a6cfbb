"""Training sequences are serving prompts with an answer behind them."""

import pytest
from attrs import evolve

from model_runtime.prompt.encoder import Hole, PromptBudget, PromptEncoder, PromptRequest
from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training.batches import RowSource


def sequences(source: RowSource, **data: object):
    encoder = evolve(source, data=evolve(source.data, **data)).open().encoder
    return [
        s for number in range(len(encoder.documents)) for s in encoder.sequences(number, epoch=0)
    ]


def test_an_end_follows_every_middle(source: RowSource, tokens: FimTokens):
    found = sequences(source, fim_rate=1.0)

    assert len(found) > 30
    for sequence in found:
        assert tokens.end == sequence.ids[-1]
        assert sequence.ids.count(tokens.end) == 1
        assert sequence.ids.count(tokens.middle) == 1
        assert tokens.pad not in sequence.ids
        assert len(sequence.ids) <= source.context


@pytest.mark.parametrize(
    ("order", "first"), [("spm1", "suffix"), ("psm", "prefix"), ("spm2", "prefix")]
)
def test_each_order_can_be_trained(source: RowSource, tokens: FimTokens, order: str, first: str):
    found = sequences(source, fim_rate=1.0, orders={order: 1.0})

    assert {getattr(tokens, first)} == {sequence.ids[0] for sequence in found}


def test_a_rate_of_zero_trains_from_left_to_right_only(source: RowSource, tokens: FimTokens):
    found = sequences(source, fim_rate=0.0)

    assert {"ltr"} == {sequence.kind for sequence in found}
    assert all(sequence.ids[0] == tokens.end for sequence in found)
    assert not any({tokens.suffix, tokens.prefix, tokens.middle} & set(s.ids) for s in found)


def test_text_that_spells_a_sentinel_never_becomes_one(
    source: RowSource, tokens: FimTokens, tokenizer: FimTokenizer
):
    """The documents of this corpus are full of `<|SUF|>`."""
    found = sequences(source, fim_rate=0.0)

    assert any("<|SUF|>" in tokenizer.decode(sequence.ids) for sequence in found)
    assert not any(tokens.suffix in sequence.ids for sequence in found)


@pytest.mark.parametrize("order", list(Order))
def test_a_training_example_begins_with_exactly_the_serving_prompt(
    tokenizer: FimTokenizer, tokens: FimTokens, order: Order
):
    encoder = PromptEncoder(tokenizer, PromptFormat.of_order(order, tokens))
    request = PromptRequest(Hole("def f(a):\n    ret", "\n\nprint(f(1))\n"))
    example = encoder.example(request, "urn a + 1", 256)
    answer = [*tokenizer.encode("urn a + 1"), tokens.end]
    prompt = encoder.prompt(request, PromptBudget(tokens=256 - len(answer)))

    assert [*prompt.ids, *answer] == example.ids
    assert len(prompt.ids) == example.prompt_length


def test_a_document_gives_the_same_sequences_again_and_others_in_the_next_epoch(source: RowSource):
    first, second = source.open().encoder, source.open().encoder

    assert list(first.sequences(3, epoch=1)) == list(second.sequences(3, epoch=1))
    assert list(first.sequences(3, epoch=1)) != list(first.sequences(3, epoch=2))


def test_no_two_documents_share_their_draws(source: RowSource):
    encoder = source.open().encoder
    drawn = [tuple(s.kind for s in encoder.sequences(n, epoch=0)) for n in range(10)]

    assert len(set(drawn)) > 1


def test_snippets_stand_behind_the_file_token(source: RowSource, tokens: FimTokens):
    large = evolve(source, context=2048)
    found = sequences(large, snippet_rate=1.0, fim_rate=1.0, orders={"spm1": 1.0})
    with_snippets = [s for s in found if tokens.file in s.ids]

    assert with_snippets
    for sequence in with_snippets:
        assert sequence.ids.index(tokens.prefix) + 1 == sequence.ids.index(tokens.file)


def test_documents_without_docstrings_can_be_left_out(source: RowSource):
    assert sequences(source, min_docstrings=10_000) == []
