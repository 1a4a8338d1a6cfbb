"""Counts what each way of moving about in an editor costs, over prompts as the encoder writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.engines.kv_slots import SURPLUS, KvSlots
from model_runtime.engines.prefix import common_prefix

ANSWER = [9001, 9002, 9003]
ROOM = 512
"""Rows of one text; those here have fewer ids."""


def prompt(before, after):
    """Returns a prompt in the order spm1: suffix, prefix, and the sentinels 1, 2 and 3."""
    return [1, *after, 2, *before, 3]


def document(number, length=400):
    return list(range(10_000 * number, 10_000 * number + length))


def cost(slots, ids, answer=ANSWER):
    """Ask for `ids`; how many of them had to be run."""
    plan = slots.plan(ids, len(answer))
    assert plan.rows >= len(ids) + len(answer)
    held = slots.take(plan, ids)
    assert held == ids[: plan.shared]
    ran = len(ids) - plan.shared
    held += [*ids[plan.shared :], *answer]
    return ran


@pytest.fixture
def slots():
    return KvSlots(4 * ROOM, step=ROOM)


@pytest.fixture
def text():
    return document(1)


def test_the_first_prompt_costs_all_of_itself(slots, text):
    assert 402 + 1 == cost(slots, prompt(text[:300], text[300:]))


def test_one_more_key_costs_its_own_tokens_and_the_sentinel(slots, text):
    cost(slots, prompt(text[:200], text[300:]))

    assert [2] * 50 == [cost(slots, prompt(text[:end], text[300:])) for end in range(201, 251)]
    assert 1 == len(slots.cached_ids)


def test_deleting_and_asking_again_cost_one(slots, text):
    cost(slots, prompt(text[:200], text[300:]))

    assert 1 == cost(slots, prompt(text[:199], text[300:]))
    assert 1 == cost(slots, prompt(text[:199], text[300:]))


def test_other_candidates_of_a_prompt_cost_one_each(slots, text):
    cost(slots, prompt(text[:200], text[300:]))

    assert [1, 1, 1] == [cost(slots, prompt(text[:200], text[300:])) for _ in range(3)]


def test_accepting_an_answer_costs_its_tokens_again(slots, text):
    """Their state is that of places behind the sentinel."""
    cost(slots, prompt(text[:200], text[300:]))

    assert len(ANSWER) + 1 == cost(slots, prompt([*text[:200], *ANSWER], text[300:]))


def test_a_jump_costs_a_prefill_and_the_way_back_does_not(slots, text):
    here, there = prompt(text[:300], text[300:]), prompt(text[:100], text[100:])
    cost(slots, here)

    assert len(there) - 1 == cost(slots, there)
    assert 1 == cost(slots, here)
    assert 1 == cost(slots, there)


def test_undoing_a_paste_costs_one(slots, text):
    before = prompt(text[:200], text[300:])
    pasted = prompt([*text[:200], *document(5, 150)], text[300:])
    cost(slots, before)

    assert 150 + 1 == cost(slots, pasted)
    assert 1 == cost(slots, before)
    assert 1 == cost(slots, pasted)


def test_an_edit_far_above_costs_what_follows_it(slots, text):
    below = text[:300]
    edited = [*below[:120], 7, *below[120:]]
    cost(slots, prompt(below, text[300:]))

    assert 1 + 180 + 1 == cost(slots, prompt(edited, text[300:]))
    assert 1 == cost(slots, prompt(below, text[300:]))


def test_going_between_two_files_costs_a_prefill_each_and_then_the_keys(slots):
    one, other = document(1), document(2)
    costs = []
    for end in range(200, 205):
        costs += [cost(slots, prompt(file[:end], file[300:])) for file in (one, other)]

    assert [303, 302] + [2] * 8 == costs


def test_two_editors_with_two_files_each_fit_into_four_slots(slots):
    files = [document(number) for number in (1, 2, 3, 4)]
    for file in files:
        cost(slots, prompt(file[:200], file[300:]))

    for end in (201, 202, 203):
        assert [2] * 4 == [cost(slots, prompt(file[:end], file[300:])) for file in files]


def test_two_small_files_do_not_push_each_other_out(slots):
    one, other = document(1, 50), document(2, 50)
    for file in (one, other):
        cost(slots, prompt(file[:40], file[45:]), answer=document(3, 48))

    assert [2, 2] == [cost(slots, prompt(file[:41], file[45:])) for file in (one, other)]


def test_the_slot_used_longest_ago_goes(slots):
    prompts = [prompt(document(number)[:200], []) for number in range(1, 7)]
    for ids in prompts[:4]:
        cost(slots, ids)
    cost(slots, prompts[0])
    cost(slots, prompts[4])

    assert 4 == len(slots.cached_ids)
    assert [1, 1, 1, 1] == [cost(slots, prompts[number]) for number in (0, 2, 3, 4)]
    assert 201 == cost(slots, prompts[1])


def test_a_single_slot_serves_one_text_after_another():
    slots, one, other = KvSlots(0), prompt(document(1), []), prompt(document(2), [])

    assert [403, 401, 401] == [cost(slots, ids) for ids in (one, other, one)]
    assert 1 == len(slots.cached_ids)


def test_the_last_id_is_always_run(slots, text):
    cost(slots, text)

    assert [1, 1, 1] == [cost(slots, text[:length]) for length in (400, 380, 380)]


def test_a_text_takes_the_room_that_it_needs_and_grows_with_it(text):
    slots = KvSlots(10 * ROOM, step=64)
    rooms = []
    for end in range(40, 300, 20):
        cost(slots, prompt(text[:end], []))
        rooms.append(slots.rows)

    assert rooms == sorted(rooms)
    assert (64, 320) == (rooms[0], rooms[-1])
    assert 1 == len(slots.cached_ids)


def test_many_small_texts_take_the_room_of_a_large_one(text):
    slots = KvSlots(ROOM, step=64)
    small = [prompt(document(number)[:40], []) for number in range(2, 10)]
    for ids in small:
        cost(slots, ids)
    assert [1] * 8 == [cost(slots, ids) for ids in small]
    cost(slots, prompt(text, []))

    assert slots.rows <= ROOM
    assert [1] == [cost(slots, prompt(text, []))]


def test_a_text_that_is_larger_than_all_that_is_allowed_is_kept_alone(text):
    slots = KvSlots(100, step=64)
    for ids in (prompt(document(2)[:50], []), prompt(text, [])):
        cost(slots, ids)

    assert 1 == len(slots.cached_ids)
    assert 1 == cost(slots, prompt(text, []))


def psm(before, after):
    """Returns a prompt in which the suffix follows what changes."""
    return [1, *before, 2, *after, 3]


def test_lines_written_where_the_suffix_comes_last_do_not_push_another_file_out(text):
    """Each Enter leaves the suffix behind, and with it a slot of which most is kept elsewhere."""
    slots = KvSlots(3 * ROOM, step=ROOM)
    other = psm(document(2)[:200], document(2)[300:])
    cost(slots, other)
    for end in range(150, 300, 10):
        assert cost(slots, psm(text[:end], text[300:])) <= 152 + 100
    assert 1 == cost(slots, other)


def test_where_there_is_room_for_two_texts_one_of_them_is_another_file(text):
    slots = KvSlots(2 * ROOM, step=ROOM)
    other = psm(document(2)[:200], document(2)[300:])
    cost(slots, other)
    for end in range(150, 300, 10):
        cost(slots, psm(text[:end], text[300:]))

    assert 1 == cost(slots, other)


IDS = st.lists(st.integers(1, 3), min_size=1, max_size=3 * SURPLUS)


@given(st.lists(IDS, max_size=30), st.integers(0, 300), st.integers(1, 40))
def test_what_is_shared_is_the_longest_prefix_that_any_slot_holds(prompts, most, step):
    slots = KvSlots(most, step=step)
    for ids in prompts:
        longest = max((common_prefix(held, ids) for held in slots.cached_ids.values()), default=0)
        plan = slots.plan(ids, len(ANSWER))

        assert min(longest, len(ids) - 1) == plan.shared
        assert plan == slots.plan(ids, len(ANSWER))
        assert plan.source not in plan.dropped
        assert (
            not slots.cached_ids
            or slots.cached_ids[plan.source][: plan.shared] == ids[: plan.shared]
        )
        gone = {plan.slot, *plan.dropped}
        others = {slot: held for slot, held in slots.cached_ids.items() if slot not in gone}
        cost(slots, ids)
        assert slots.rows <= most or len(slots.cached_ids) == 1
        assert slots.cached_ids.keys() - {plan.slot} == others.keys()
        assert all(slots.cached_ids[slot] == held for slot, held in others.items())
