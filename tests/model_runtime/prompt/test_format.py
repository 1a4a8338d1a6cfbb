"""The order of the parts, and nothing else, lives in fim_format."""

import pytest

from model_runtime.prompt.format import NUM_SENTINELS, FimTokens, Order, example, prompt_ids

TOKENS = FimTokens(end=0, suffix=1, prefix=2, middle=3, pad=4, file=5)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.SPM1, [1, 70, 71, 2, 10, 11, 3]),
        (Order.PSM, [2, 10, 11, 1, 70, 71, 3]),
        (Order.SPM2, [2, 1, 70, 71, 3, 10, 11]),
    ],
)
def test_each_order_puts_its_sentinels_where_its_paper_does(order, expected):
    assert expected == prompt_ids(order, TOKENS, prefix=[10, 11], suffix=[70, 71])


@pytest.mark.parametrize("order", list(Order))
def test_an_example_is_the_prompt_then_the_middle_then_end(order):
    prompt = prompt_ids(order, TOKENS, prefix=[10], suffix=[70])
    found = example(order, TOKENS, prefix=[10], middle=[40, 41], suffix=[70])

    assert [*prompt, 40, 41, 0] == found.ids
    assert len(prompt) == found.prompt_length


@pytest.mark.parametrize("order", list(Order))
def test_every_order_spends_the_same_number_of_sentinels(order):
    assert NUM_SENTINELS == len(prompt_ids(order, TOKENS, prefix=[], suffix=[]))


def test_psm_and_spm2_agree_when_nothing_precedes_the_hole():
    """A known answer of Bavarian et al.: variant 2 shares its shape with PSM."""
    assert prompt_ids(Order.PSM, TOKENS, [], [7]) == prompt_ids(Order.SPM2, TOKENS, [], [7])


def test_two_sentinels_of_one_id_are_refused():
    with pytest.raises(ValueError, match="share one id"):
        FimTokens(end=0, suffix=1, prefix=1, middle=3)
