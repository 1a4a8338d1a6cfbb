"""Prompts: the model card's known answer, budgets, and ids that stay the same while one types."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from model_runtime.errors import PromptTooLong
from model_runtime.prompt.encoder import (
    Hole,
    PromptBudget,
    PromptEncoder,
    PromptRequest,
    Snippet,
)
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.template import Slot
from model_runtime.prompt.tokenizer import FimTokenizer
from tests.model_runtime.conftest import SEED_TOKENS
from tests.support.made_tokenizers import KINDS, made

SUF, PRE, MID = 50277, 50278, 50279
CARD_PREFIX = 'def score(x, y) -> int:\n"""\n'
CARD_SUFFIX = '"""\n\n    score = x + y\n    return score'
CARD_PROMPT = [
    *[SUF, 32488, 535, 50274, 18891, 426, 1269, 559, 340, 187, 50274, 2309, 4868],
    *[PRE, 1545, 4868, 9, 89, 13, 340, 10, 5204, 540, 27, 187, 32488, 187],
    MID,
]
CARD_MIDDLE = [50274, 18891, 9, 89, 13, 340, 10, 5204, 540, 187]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def request(prefix: str, suffix: str = "", **more: object) -> PromptRequest:
    return PromptRequest(Hole(prefix, suffix), **more)


def python_like(lines: int, seed: int = 0) -> str:
    rng = random.Random(seed)
    words = ["value", "result", "index", "total", "self", "items", "return", "for", "in", "if"]
    return "".join(
        "    " * rng.randrange(4) + " ".join(rng.choices(words, k=rng.randint(1, 9))) + "\n"
        for _ in range(lines)
    )


def test_the_model_cards_worked_example_gives_exactly_its_ids(seed_encoder):
    """CarperAI/FIM-NeoX-1.3B, newest revision: 28 ids of prompt."""
    assert (
        CARD_PROMPT == seed_encoder.prompt(request(CARD_PREFIX, CARD_SUFFIX), PromptBudget(64)).ids
    )


def test_the_model_cards_answer_makes_its_39_ids(seed_encoder):
    found = seed_encoder.example(request(CARD_PREFIX, CARD_SUFFIX), "    score(x, y) -> int\n", 64)

    assert [*CARD_PROMPT, *CARD_MIDDLE, 0] == found.ids
    assert 39 == len(found.ids)
    assert 28 == found.prompt_length


@pytest.mark.parametrize("order", list(Order))
def test_a_training_example_begins_with_the_prompt_that_serving_sends(seed_tokenizer, order):
    encoder = PromptEncoder(seed_tokenizer, PromptFormat.of_order(order, SEED_TOKENS))
    hole = request("def f(x):\n    ret", "urn y\n")
    example = encoder.example(hole, "urn x + 1\n    y = 2; ret", 128)
    rest = 128 - (len(example.ids) - example.prompt_length)

    assert encoder.prompt(hole, PromptBudget(rest)).ids == example.ids[: example.prompt_length]
    assert 0 == example.ids[-1]


@given(prefix=texts, suffix=texts, most=st.integers(4, 200))
def test_a_prompt_never_exceeds_its_budget(seed_encoder, prefix, suffix, most):
    prompt = seed_encoder.prompt(request(prefix, suffix), PromptBudget(most))

    assert len(prompt.ids) <= most
    assert (
        len(prompt.ids) == prompt.prefix_tokens + prompt.suffix_tokens + prompt.snippet_tokens + 3
    )


@given(prefix=texts, suffix=texts)
def test_a_prompt_with_room_holds_the_whole_text(seed_encoder, prefix, suffix):
    """Also when that text spells sentinels or is not normalised."""
    ids = seed_encoder.prompt(request(prefix, suffix), PromptBudget(4096)).ids
    decode = seed_encoder.tokenizer.decode

    assert suffix == decode(ids[1 : ids.index(PRE)])
    assert prefix == decode(ids[ids.index(PRE) + 1 : -1])


@given(prefix=texts, suffix=texts, most=st.integers(4, 60))
def test_what_is_cut_is_the_end_of_the_suffix_and_the_start_of_the_prefix(
    seed_encoder, prefix, suffix, most
):
    ids = seed_encoder.prompt(request(prefix, suffix), PromptBudget(most)).ids
    decode = seed_encoder.tokenizer.decode

    assert suffix.startswith(decode(ids[1 : ids.index(PRE)]).rstrip("\ufffd"))
    assert prefix.endswith(decode(ids[ids.index(PRE) + 1 : -1]).lstrip("\ufffd"))


@pytest.mark.parametrize("most", [200, 300, 768, 2048])
def test_typing_changes_only_the_last_ids(seed_encoder, most):
    """The window's left edge moves in blocks: nearly every key keeps all but a few ids."""
    text = python_like(400)
    start, keys = len(text) // 2, 200
    suffix = text[start + keys :]
    budget = PromptBudget(most)
    moved, before = 0, seed_encoder.prompt(request(text[:start], suffix), budget).ids
    for typed in range(1, keys):
        ids = seed_encoder.prompt(request(text[: start + typed], suffix), budget).ids
        shared = next(
            (i for i, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), len(before)
        )
        moved += len(ids) - shared > 12
        before = ids

    # The edge moves once in a quarter of the prefix's budget, at three characters a token.
    assert moved <= 2 + keys / (most * 3 / 4 * 3 / 4)


@given(st.sampled_from(["\n", "x", " ", "名", "😀", "\t", "a\n", "é"]), st.integers(3000, 6000))
@settings(max_examples=20)
def test_text_of_any_density_fills_at_least_a_third_of_the_window(seed_encoder, unit, length):
    prompt = seed_encoder.prompt(request(unit * length, unit * length), PromptBudget(200))

    if prompt.prefix_tokens < 197 // 3:  # unless single tokens hold more text than is looked at
        assert len(unit * length) > 197 * 8
        assert prompt.prefix_tokens > 0


def test_the_suffix_gets_what_the_prefix_leaves_and_keeps_a_share(seed_encoder):
    long = python_like(300)
    both = seed_encoder.prompt(request(long, long), PromptBudget(400))
    start_of_file = seed_encoder.prompt(request("import os\n", long), PromptBudget(400))
    end_of_file = seed_encoder.prompt(request(long, ""), PromptBudget(400))

    assert 99 == both.suffix_tokens
    assert start_of_file.suffix_tokens > 300
    assert end_of_file.prefix_tokens > 290


def test_a_budget_without_room_for_text_is_an_error(seed_encoder):
    with pytest.raises(PromptTooLong, match="no room"):
        seed_encoder.prompt(request("x"), PromptBudget(3))


def test_a_middle_that_does_not_fit_is_an_error_and_never_cut(seed_encoder):
    with pytest.raises(PromptTooLong):
        seed_encoder.example(request("x", "y"), "word " * 50, 40)


SNIPPETS = (Snippet("best.py", "BEST = 1"), Snippet("second.py", "SECOND = 2"))


def test_snippets_stand_before_the_prefix_with_the_best_one_nearest(seed_encoder):
    """A model without a FILE token reads the paths as comments."""
    ids = seed_encoder.prompt(
        request("x = ", path="mine.py", snippets=SNIPPETS), PromptBudget(256)
    ).ids

    assert (
        "# second.py\nSECOND = 2\n# best.py\nBEST = 1\n# mine.py\nx = "
        == seed_encoder.tokenizer.decode(ids[ids.index(PRE) + 1 : -1])
    )


def test_a_model_with_a_file_token_reads_paths_behind_it(seed_tokenizer):
    tokens = FimTokens(end=0, suffix=SUF, prefix=PRE, middle=MID, file=1)
    encoder = PromptEncoder(seed_tokenizer, PromptFormat.of_order(Order.SPM1, tokens))
    ids = encoder.prompt(
        request("x = ", path="mine.py", snippets=SNIPPETS[:1]), PromptBudget(256)
    ).ids
    encode = seed_tokenizer.encode

    assert [
        *[SUF, PRE, 1, *encode("best.py\nBEST = 1\n"), 1, *encode("mine.py\n")],
        *[*encode("x = "), MID],
    ] == ids


def test_a_snippet_that_does_not_fit_whole_is_left_out(seed_encoder):
    long = Snippet("long.py", python_like(80))
    prompt = seed_encoder.prompt(
        request("x = ", path="mine.py", snippets=(long, *SNIPPETS[:1])), PromptBudget(120)
    )

    assert 0 < prompt.snippet_tokens <= 117 // 4
    assert "BEST = 1" in seed_encoder.tokenizer.decode(prompt.ids)


def test_without_snippets_the_path_is_not_shown(seed_encoder):
    assert (
        seed_encoder.prompt(request("x"), PromptBudget(64)).ids
        == seed_encoder.prompt(request("x", path="mine.py"), PromptBudget(64)).ids
    )


@pytest.fixture(scope="module")
def line_encoder(seed_tokenizer):
    """Asks for the line from its start."""
    return PromptEncoder(
        seed_tokenizer, PromptFormat.of_order(Order.SPM1, SEED_TOKENS, HoleStart.LINE)
    )


def typed_text(encoder, prompt) -> str:
    """All that the prompt and the forced text say of the cursor's line."""
    settled = prompt.ids[len(prompt.ids) - prompt.typed_tokens :]
    return encoder.tokenizer.decode(settled) + prompt.forced_text


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("column", range(0, 40, 3))
def test_what_is_typed_on_the_line_stands_behind_the_same_prompt(seed_tokenizer, order, column):
    encoder = PromptEncoder(
        seed_tokenizer, PromptFormat.of_order(order, SEED_TOKENS, HoleStart.LINE)
    )
    above, line, below = python_like(30), "    return self.items[name].quantity", python_like(20, 1)
    start = encoder.prompt(request(above, "\n" + below), PromptBudget(400))

    found = encoder.prompt(request(above + line[:column], "\n" + below), PromptBudget(400))

    assert start.ids == found.ids[: len(found.ids) - found.typed_tokens]
    assert line[:column] == typed_text(encoder, found)
    assert len(seed_tokenizer.encode(found.forced_text)) <= 4
    assert len(found.ids) <= 400


def test_at_the_start_of_a_line_both_forms_are_one(seed_encoder, line_encoder):
    here = request(python_like(5), python_like(5, 1))

    assert (
        seed_encoder.prompt(here, PromptBudget(500)).ids
        == line_encoder.prompt(here, PromptBudget(500)).ids
    )


def test_of_a_very_long_line_the_end_is_typed_text(line_encoder):
    line = "x = [" + "12345, " * 1000
    prompts = [
        line_encoder.prompt(request("a = 1\n" + line[:end], "]\n"), PromptBudget(500))
        for end in range(4000, 4040)
    ]

    for end, prompt in zip(range(4000, 4040), prompts, strict=True):
        assert line[:end].endswith(typed_text(line_encoder, prompt))
        assert 100 < len(typed_text(line_encoder, prompt)) <= 256
        assert len(prompt.ids) <= 500
    starts = {tuple(one.ids[: len(one.ids) - one.typed_tokens]) for one in prompts}
    assert len(starts) <= 2


@given(typed=st.text(st.characters(exclude_characters="\n\r"), max_size=300), after=texts)
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_typed(line_encoder, typed, after):
    prompt = line_encoder.prompt(request("def f():\n" + typed, after), PromptBudget(400))

    encodable = typed.encode(errors="surrogatepass").decode(errors="replace")
    assert len(prompt.ids) <= 400
    if typed.isprintable() and typed == encodable:
        assert typed.endswith(typed_text(line_encoder, prompt))


def test_half_a_surrogate_pair_is_typed_as_the_replacement_character(line_encoder):
    prompt = line_encoder.prompt(request("x = '\ud83d", "\ude42'\n"), PromptBudget(200))

    assert "x = '\ufffd" == typed_text(line_encoder, prompt)


def test_what_no_ids_spell_is_cut_at_the_cursor():
    tokens = FimTokens(end=0, suffix=1, prefix=2, middle=3)
    special = ["<end>", "<suf>", "<pre>", "<mid>"]
    tokenizer = Tokenizer(
        models.WordLevel(
            {**{name: id_ for id_, name in enumerate(special)}, "a": 4, "b": 5}, unk_token="<end>"
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.add_special_tokens(special)
    encoder = PromptEncoder(
        FimTokenizer(tokenizer), PromptFormat.of_order(Order.SPM1, tokens, HoleStart.LINE)
    )

    known = encoder.prompt(request("ab\nab", "a"), PromptBudget(200))
    unknown = encoder.prompt(request("ab\naz", "a"), PromptBudget(200))

    assert (HoleStart.LINE, "ab") == (known.hole_start, known.forced_text)
    assert (HoleStart.CURSOR, "") == (unknown.hole_start, unknown.forced_text)


@pytest.mark.parametrize("order", list(Order))
def test_a_training_example_from_the_lines_start_has_the_typed_part_in_its_middle(
    seed_tokenizer, order
):
    encoder = PromptEncoder(
        seed_tokenizer, PromptFormat.of_order(order, SEED_TOKENS, HoleStart.LINE)
    )
    hole = request("def f(x):\n    ret", "\n\n")
    prompt = encoder.prompt(request("def f(x):\n", "\n\n"), PromptBudget(224))

    found = encoder.example(hole, "urn x", 128)

    assert [*prompt.ids, *seed_tokenizer.encode("    return x"), SEED_TOKENS.end] == found.ids


@pytest.mark.parametrize(
    ("order", "hole_start", "is_limited"),
    [
        (Order.PSM, HoleStart.CURSOR, True),
        (Order.PSM, HoleStart.LINE, False),
        (Order.SPM1, HoleStart.CURSOR, False),
        (Order.SPM2, HoleStart.CURSOR, False),
    ],
)
def test_a_suffix_that_is_read_again_at_every_key_may_be_limited(
    seed_tokenizer, order, hole_start, is_limited
):
    encoder = PromptEncoder(seed_tokenizer, PromptFormat.of_order(order, SEED_TOKENS, hole_start))
    here = request(python_like(3), python_like(100, 1))
    found = encoder.prompt(here, PromptBudget(800, reread_tokens=40))
    free = encoder.prompt(here, PromptBudget(800))

    assert is_limited is (40 == found.suffix_tokens)
    assert free.suffix_tokens > 400
    assert is_limited or free == found


def without_a_middle_sentinel(kind, lead=""):
    template = (1, Slot.SUFFIX, 2, *([lead] if lead else []), Slot.PREFIX)
    form = PromptFormat(template, end=3, hole_start=HoleStart.LINE)
    return PromptEncoder(made(kind, ["<suf>", "<pre>", "</s>"]), form)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", range(0, 35, 4))
def test_without_a_middle_sentinel_the_typed_line_follows_the_lines_above(kind, column):
    line = "    return self.name + 'für 名前' * 2"
    encoder = without_a_middle_sentinel(kind)
    prompt = encoder.prompt(request("def name():\n" + line[:column], "value\n"), PromptBudget(400))

    written = f"<suf>value\n<pre>def name():\n{line[:column]}"
    assert written == encoder.tokenizer.decode(prompt.ids) + prompt.forced_text
    assert line[:column] == typed_text(encoder, prompt)


@pytest.mark.parametrize("kind", KINDS)
def test_the_blank_before_a_prefix_stays_where_its_start_is_cut_off(kind):
    encoder = without_a_middle_sentinel(kind, lead=" ")
    prompts = [
        encoder.prompt(request("self.name = value\n" * lines), PromptBudget(60))
        for lines in (0, 1, 30)
    ]

    texts = [encoder.tokenizer.decode(prompt.ids).partition("<pre>")[2] for prompt in prompts]
    assert " " == texts[0]
    assert all(text.startswith(" self.name") for text in texts[1:])
    assert all(len(prompt.ids) <= 60 for prompt in prompts)


@pytest.mark.parametrize("kind", KINDS)
@given(prefix=texts, suffix=texts)
@settings(max_examples=40, deadline=None)
def test_every_kind_of_tokenizer_writes_the_whole_text(kind, prefix, suffix):
    encoder = without_a_middle_sentinel(kind)
    prompt = encoder.prompt(request(prefix, suffix), PromptBudget(4096))

    written = encoder.tokenizer.decode(prompt.ids) + prompt.forced_text
    assert f"<suf>{suffix}<pre>{prefix}" == written


def test_snippets_get_the_share_that_the_format_says(seed_tokenizer):
    form = PromptFormat.of_order(Order.SPM1, SEED_TOKENS)
    here = request("x = ", snippets=tuple(Snippet(f"{n}.py", python_like(4, n)) for n in range(20)))
    counts = []
    for share in (0.0, 0.25, 0.5):
        shared = replace(form, context=replace(form.context, share=share))
        prompt = PromptEncoder(seed_tokenizer, shared).prompt(here, PromptBudget(403))
        counts.append(prompt.snippet_tokens)
        assert prompt.snippet_tokens <= share * 400

    assert 0 == counts[0] < counts[1] < counts[2]


def test_a_format_without_a_place_for_other_files_gets_none(seed_tokenizer):
    form = replace(
        PromptFormat.of_order(Order.SPM1, SEED_TOKENS),
        template=(SUF, Slot.SUFFIX, PRE, Slot.PREFIX, MID),
    )
    prompt = PromptEncoder(seed_tokenizer, form).prompt(
        request("x = ", path="mine.py", snippets=SNIPPETS), PromptBudget(256)
    )

    assert ("x = ", (0, 0)) == (
        seed_tokenizer.decode(prompt.ids[2:-1]),
        prompt.tokens_of_snippets,
    )
