"""Known answers for the three orders, from an independent implementation of the reference draw.

The draw: numpy's RandomState(seed); a coin with the FIM rate; two sorted integers in
[0, n]; a coin with the SPM rate.  Input: ids 10 ... 19, SUF = 1, PRE = 2, MID = 3, rate 1.
"""

import numpy as np
import pytest

from model_runtime.fim_format import FimTokens, Order, prompt_ids

IDS = list(range(10, 20))
TOKENS = FimTokens(end=0, suffix=1, prefix=2, middle=3)


def reference_cuts(seed: int) -> tuple[int, int]:
    """Two sorted cuts in [0, n]."""
    state = np.random.RandomState(seed)
    assert state.binomial(1, 1.0)
    low, high = sorted(int(cut) for cut in state.randint(0, len(IDS) + 1, size=2))
    return low, high


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
        prompt = prompt_ids(order, TOKENS, IDS[:low], IDS[high:])

        assert expected == [*prompt, *IDS[low:high]]
