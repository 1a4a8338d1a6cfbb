from hypothesis import given
from hypothesis import strategies as st

from model_runtime.engines.ctranslate2.static_prompts import MAX_TAIL, STEP, Cut, StaticPrompts

IDS = list(range(1000))


def static_prompts(budget=10**6):
    return StaticPrompts(bytes_per_token=10, budget_bytes=budget)


def test_a_new_static_prompt_ends_at_a_step_some_way_before_the_end():
    found = static_prompts()

    assert Cut(0, is_cached=False) == found.cut(IDS[:64])
    assert Cut(0, is_cached=False) == found.cut(IDS[:72])
    assert Cut(64, is_cached=False) == found.cut(IDS[:73])
    assert Cut(960, is_cached=False) == found.cut(IDS[:1000])


def test_a_held_static_prompt_is_used_while_the_rest_is_short():
    found = static_prompts()
    found.add(IDS[:128])

    assert Cut(128, is_cached=True) == found.cut(IDS[: 128 + MAX_TAIL])
    assert not found.cut(IDS[: 129 + MAX_TAIL]).is_cached
    assert not found.cut(IDS[:128]).is_cached  # something has to be left to run
    assert Cut(128, is_cached=True) == found.cut(IDS[:129])


def test_the_longest_of_several_static_prompts_is_used():
    found = static_prompts()
    for length in (128, 192, 64):
        found.add(IDS[:length])

    assert 192 == found.cut(IDS[:240]).length
    assert 128 == found.cut([*IDS[:130], 7, 7, *IDS[132:240]]).length


def test_memory_is_counted_and_bounded():
    found = static_prompts(budget=3000)
    found.add(IDS[:192])

    assert 1920 == found.used_bytes
    assert not found.has_room(192)
    assert found.has_room(64)
    found.add(IDS[:192])
    assert 1920 == found.used_bytes
    found.clear()
    assert found.has_room(192)


def test_a_prompt_too_long_for_the_whole_budget_is_not_static():
    assert Cut(0, is_cached=False) == static_prompts(budget=3000).cut(IDS)


@given(
    st.lists(st.integers(1, 900), max_size=20),
    st.integers(1, 900),
)
def test_a_cut_is_always_a_held_prefix_or_a_step(lengths, length):
    found = static_prompts()
    for held in lengths:
        found.add(IDS[:held])
    cut = found.cut(IDS[:length])

    assert cut.length < length
    assert cut.is_cached == (cut.length in lengths and length - cut.length <= MAX_TAIL)
    assert cut.is_cached or cut.length % STEP == 0
