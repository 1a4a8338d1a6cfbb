"""Counts the ids that each movement in an editor costs, with the embedded model's encoder."""

import random

import pytest

from model_runtime.engines.kv_slots import KvSlots
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest
from model_runtime.store import installed

WORDS = [
    "order",
    "price",
    "stock",
    "shelf",
    "total",
    "count",
    "index",
    "weight",
    "parcel",
    "address",
    "customer",
    "delivery",
]


def code(seed, functions=60):
    """Python functions that nobody wrote, always the same for a seed."""
    draw = random.Random(seed)
    parts = []
    for number in range(functions):
        one, other, third = draw.sample(WORDS, 3)
        parts.append(
            f"def {one}_of_{other}_{number}({other}s, {third}={draw.randrange(100)}):\n"
            f'    """Returns the {one} of all {other}s above a {third}."""\n'
            f"    found = [{other}.{one} for {other} in {other}s if {other}.{third} > {third}]\n"
            f"    return sum(found) / max(1, len(found))\n\n\n"
        )
    return "".join(parts)


TEXT, OTHER = code(1), code(2)
CURSOR = 4000
ANSWER = [7] * 48
FEW = 8
"""Ids of a key: its word once more, and the sentinel."""
LINE = 24
"""Ids of Enter: the line that is done becomes a part of the text before the hole."""


@pytest.fixture(scope="module")
def encoder():
    return ModelBundle.open(installed.default_folder()).encoder


class Editor:
    """Asks at a cursor, as the server does; tells how many ids were run, and of how many."""

    def __init__(self, encoder, most=8):
        self._encoder = encoder
        self._slots = KvSlots(most * 1024, step=128)

    def ask(self, prefix, suffix):
        request = PromptRequest(Hole(prefix, suffix))
        ids = self._encoder.prompt(request, PromptBudget(768)).ids
        plan = self._slots.plan(ids, len(ANSWER))
        self._slots.take(plan, ids).extend([*ids[plan.shared :], *ANSWER])
        return len(ids) - plan.shared, len(ids)

    def cost(self, prefix, suffix):
        return self.ask(prefix, suffix)[0]


@pytest.fixture
def editor(encoder):
    return Editor(encoder)


def test_a_key_costs_its_own_tokens(editor):
    """But where the window's left edge moves on: by a quarter of it, so once in some hundred keys."""
    editor.ask(TEXT[:CURSOR], TEXT[CURSOR:])
    ends = range(CURSOR, CURSOR + 300)
    costs = {end: editor.cost(TEXT[:end], TEXT[CURSOR + 300 :]) for end in ends}
    del costs[CURSOR]
    more = [cost for end, cost in costs.items() if cost > (LINE if TEXT[end - 1] == "\n" else FEW)]

    assert len(more) <= 2
    assert sum(costs.values()) - sum(more) < 3 * 300


def test_deleting_costs_no_more_than_typing(editor):
    editor.ask(TEXT[:CURSOR], TEXT[CURSOR:])

    for end in range(CURSOR, CURSOR - 60, -1):
        # Back over the end of a line, that line is typed text again.
        assert (LINE if TEXT[end] == "\n" else FEW) >= editor.cost(TEXT[:end], TEXT[CURSOR:])


def test_a_jump_and_back_costs_one_prefill(editor):
    editor.ask(TEXT[:CURSOR], TEXT[CURSOR:])
    away, all_ids = editor.ask(TEXT[:2000], TEXT[2000:])

    assert all_ids - 2 <= away
    assert 1 == editor.cost(TEXT[:CURSOR], TEXT[CURSOR:])
    assert 1 == editor.cost(TEXT[:2000], TEXT[2000:])


def test_a_paste_and_its_undo_cost_the_paste(editor):
    """The file fits into the window; in a longer one its edges may move."""
    before, after = TEXT[:1000], TEXT[1000:1400]
    pasted = before + OTHER[1000:1300]
    editor.ask(before, after)
    cost, all_ids = editor.ask(pasted, after)

    assert cost < all_ids / 3
    # The last token before the place may be another one where no text follows.
    assert 2 >= editor.cost(before, after)
    assert 2 >= editor.cost(pasted, after)


def test_an_edit_far_above_costs_what_follows_it(editor):
    above = TEXT[:100] + "x = 1\n" + TEXT[100:1200]
    editor.ask(TEXT[:1200], TEXT[1200:])
    cost, all_ids = editor.ask(above, TEXT[1200:])

    assert cost < all_ids - 300
    assert 1 == editor.cost(TEXT[:1200], TEXT[1200:])


def test_two_files_in_two_editors_cost_their_keys(editor):
    places = [(TEXT, CURSOR), (OTHER, 3000), (TEXT, 2000), (OTHER, 5000)]
    for text, cursor in places:
        editor.ask(text[:cursor], text[cursor + 20 :])

    for key in range(1, 6):
        for text, cursor in places:
            assert LINE >= editor.cost(text[: cursor + key], text[cursor + 20 :])


def test_more_places_than_slots_cost_a_prefill_each(encoder):
    editor = Editor(encoder, most=2)
    places = [1500, 3000, 4500]
    costs = [editor.ask(TEXT[:place], TEXT[place:]) for place in places * 2]

    assert all(cost > ids / 2 for cost, ids in costs)
