"""An editor learns how much of a prompt its own requests have left, and nothing of others'."""

import pytest

from fim_lsp.own_prompts import OwnPrompts


@pytest.mark.parametrize(
    ("earlier", "prompt", "expected"),
    [
        ([], [1, 2, 3], 0),
        ([[]], [1, 2, 3], 0),
        ([[1, 2, 3]], [], 0),
        ([[1, 2, 3]], [1, 2, 3], 3),
        ([[1, 2, 3]], [1, 2, 3, 4], 3),
        ([[1, 2, 3, 4]], [1, 2, 3], 3),
        ([[1, 2, 3]], [1, 9, 3], 1),
        ([[9, 2, 3]], [1, 2, 3], 0),
        ([[1, 2, 3, 4], [1, 2], [7]], [1, 2, 3, 5], 3),
        ([[1, 2], [1, 2, 3, 4], [7]], [1, 2, 3, 5], 3),
    ],
)
def test_as_much_is_known_as_the_best_earlier_prompt_has_in_common(earlier, prompt, expected):
    own = OwnPrompts()
    for ids in earlier:
        own.add(ids)

    assert expected == own.num_known(prompt)


def test_an_old_prompt_is_forgotten_after_many_others():
    own = OwnPrompts()
    own.add([0, 1])
    for first in range(1, 33):
        own.add([first])

    assert (0, 1) == (own.num_known([0, 1]), own.num_known([32]))
