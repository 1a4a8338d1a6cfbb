"""Known answers for the three orders, from an independent implementation of the reference draw.

The draw: numpy's RandomState(seed); a coin with the FIM rate; two sorted integers in
[0, n]; a coin with the SPM rate.  Input: ids 10 ... 19, SUF = 1, PRE = 2, MID = 3, rate 1.
"""

import random

import numpy as np
import pytest
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

from model_runtime.prompt.encoder import Hole, PromptEncoder, PromptRequest
from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.template import Slot
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training.holes import character_span

IDS = list(range(10, 20))
TOKENS = FimTokens(end=0, suffix=1, prefix=2, middle=3)


def reference_cuts(seed: int) -> tuple[int, int]:
    """Two sorted cuts in [0, n]."""
    state = np.random.RandomState(seed)
    assert state.binomial(1, 1.0)
    low, high = sorted(int(cut) for cut in state.randint(0, len(IDS) + 1, size=2))
    return low, high


class ReferenceDraws(random.Random):
    """The reference stream behind the interface that holes are drawn with."""

    def __init__(self, seed: int) -> None:
        super().__init__(0)
        self.state = np.random.RandomState(seed)
        assert self.state.binomial(1, 1.0)

    def randint(self, a: int, b: int) -> int:
        return int(self.state.randint(a, b + 1))


def letters() -> FimTokenizer:
    """`a` to `j` are the ids 10 ... 19, the special tokens 0 ... 3."""
    special = ["<|end|>", "<|SUF|>", "<|PRE|>", "<|MID|>"]
    words = {name: i for i, name in enumerate(special)}
    words |= {letter: 10 + i for i, letter in enumerate("abcdefghij")}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<|end|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in special])
    return FimTokenizer(tokenizer)


def test_an_example_of_the_original_length_has_lost_the_end_of_its_suffix():
    """Seed 0, psm, cut to ten ids; ours have their END behind them, which is the eleventh."""
    low, high = reference_cuts(0)
    text = "abcdefghij"
    request = PromptRequest(Hole(text[:low], text[high:]))
    found = PromptEncoder(letters(), PromptFormat.of_order(Order.PSM, TOKENS)).example(
        request, text[low:high], 11
    )

    assert [2, 1, 15, 16, 3, 10, 11, 12, 13, 14, 0] == found.ids


@pytest.mark.parametrize(
    ("seed", "cuts", "psm", "spm1", "spm2"),
    [
        (
            0,
            (0, 5),
            [2, 1, 15, 16, 17, 18, 19, 3, 10, 11, 12, 13, 14],
            [1, 15, 16, 17, 18, 19, 2, 3, 10, 11, 12, 13, 14],
            [2, 1, 15, 16, 17, 18, 19, 3, 10, 11, 12, 13, 14],
        ),
        (
            1,
            (8, 9),
            [2, 10, 11, 12, 13, 14, 15, 16, 17, 1, 19, 3, 18],
            [1, 19, 2, 10, 11, 12, 13, 14, 15, 16, 17, 3, 18],
            [2, 1, 19, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18],
        ),
        (
            2,
            (6, 8),
            [2, 10, 11, 12, 13, 14, 15, 1, 18, 19, 3, 16, 17],
            [1, 18, 19, 2, 10, 11, 12, 13, 14, 15, 3, 16, 17],
            [2, 1, 18, 19, 3, 10, 11, 12, 13, 14, 15, 16, 17],
        ),
        (
            42,
            (7, 10),
            [2, 10, 11, 12, 13, 14, 15, 16, 1, 3, 17, 18, 19],
            [1, 2, 10, 11, 12, 13, 14, 15, 16, 3, 17, 18, 19],
            [2, 1, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
        ),
    ],
)
def test_the_three_orders_give_the_known_answers(seed, cuts, psm, spm1, spm2):
    low, high = reference_cuts(seed)
    assert cuts == (low, high)
    for order, expected in ((Order.PSM, psm), (Order.SPM1, spm1), (Order.SPM2, spm2)):
        parts = {Slot.PREFIX: IDS[:low], Slot.SUFFIX: IDS[high:]}
        prompt = PromptFormat.of_order(order, TOKENS).ids(parts, list)

        assert expected == [*prompt, *IDS[low:high]]

    # and so do our own cut and the path that training takes
    text = "abcdefghij"
    low, high = character_span(text, ReferenceDraws(seed))
    request = PromptRequest(Hole(text[:low], text[high:]))
    for order, expected in ((Order.PSM, psm), (Order.SPM1, spm1), (Order.SPM2, spm2)):
        found = PromptEncoder(letters(), PromptFormat.of_order(order, TOKENS)).example(
            request, text[low:high], 100
        )
        assert [*expected, TOKENS.end] == found.ids
