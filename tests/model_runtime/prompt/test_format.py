"""Templates: what they write, what follows from them, and what is refused."""

from dataclasses import replace

import pytest

from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.published import PUBLISHED, published_format
from model_runtime.prompt.template import ContextFormat, Slot

TOKENS = FimTokens(end=0, suffix=1, prefix=2, middle=3, pad=4, file=5)
SPM1 = PromptFormat.of_order(Order.SPM1, TOKENS)


def of(*template: int | str | Slot, **more: object) -> PromptFormat:
    return PromptFormat(template=template, end=0, **more)


def code_points(text: str) -> list[int]:
    return [ord(character) for character in text]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.SPM1, [1, 70, 71, 2, 10, 11, 3]),
        (Order.PSM, [2, 10, 11, 1, 70, 71, 3]),
        (Order.SPM2, [2, 1, 70, 71, 3, 10, 11]),
    ],
)
def test_each_order_puts_its_sentinels_where_its_paper_does(order, expected):
    parts = {Slot.PREFIX: [10, 11], Slot.SUFFIX: [70, 71]}

    assert expected == PromptFormat.of_order(order, TOKENS).ids(parts, list)


@pytest.mark.parametrize("order", list(Order))
def test_the_order_of_a_template_is_known_by_its_parts(order):
    form = PromptFormat.of_order(order, TOKENS)

    assert order is form.order
    assert {"prefix": 2, "suffix": 1, "middle": 3, "pad": 4, "file": 5} == form.roles
    assert frozenset(TOKENS.all()) == form.stop_ids


def test_psm_and_spm2_agree_when_nothing_precedes_the_hole():
    """A known answer of Bavarian et al.: variant 2 shares its shape with PSM."""
    psm, spm2 = (PromptFormat.of_order(order, TOKENS) for order in (Order.PSM, Order.SPM2))
    parts = {Slot.SUFFIX: [7]}

    assert psm.ids(parts, list) == spm2.ids(parts, list)


@pytest.mark.parametrize(
    ("form", "name", "roles"),
    [
        (of(8, Slot.SUFFIX, 9, Slot.PREFIX), "own", {"suffix": 8, "prefix": 9}),
        (of(9, Slot.PREFIX, 8, Slot.SUFFIX, 7), "psm", {"suffix": 8, "prefix": 9, "middle": 7}),
        (
            of(9, " ", Slot.PREFIX, 8, Slot.SUFFIX, 7),
            "own",
            {"suffix": 8, "prefix": 9, "middle": 7},
        ),
        (
            of(9, 8, Slot.SUFFIX, 7, Slot.CONTEXT, Slot.PREFIX),
            "spm2",
            {"suffix": 8, "prefix": 9, "middle": 7},
        ),
    ],
)
def test_what_other_programs_ask_for_is_derived_from_the_template(form, name, roles):
    assert (name, roles) == (form.name, form.roles)


@pytest.mark.parametrize(
    ("order", "hole_start", "expected"),
    [
        (Order.PSM, HoleStart.CURSOR, True),
        (Order.PSM, HoleStart.LINE, False),
        (Order.SPM1, HoleStart.CURSOR, False),
        (Order.SPM2, HoleStart.CURSOR, False),
    ],
)
def test_a_suffix_behind_the_typed_text_is_read_again_at_every_key(order, hole_start, expected):
    assert expected is PromptFormat.of_order(order, TOKENS, hole_start).rereads_suffix


def test_every_id_that_a_prompt_is_written_with_ends_an_answer():
    form = of(
        *(Slot.CONTEXT, 8, Slot.SUFFIX, 9, Slot.PREFIX),
        bos=1,
        pad=2,
        other_stops=(3,),
        context=ContextFormat.with_file_token(4),
    )

    assert {0, 1, 2, 3, 4, 8, 9} == form.stop_ids
    assert (1, 0) == (form.text_start, SPM1.text_start)


@pytest.mark.parametrize(
    ("prefix", "context", "expected"),
    [
        ("p", "", [1, 8, *b" p", 9, *b"s", *b"!"]),
        ("", "", [1, 8, *b" ", 9, *b"s", *b"!"]),
        ("p", "c", [1, 8, *b" ", *b"c", *b"p", 9, *b"s", *b"!"]),
    ],
)
def test_a_text_before_a_part_is_encoded_together_with_it(prefix, context, expected):
    form = of(8, " ", Slot.CONTEXT, Slot.PREFIX, 9, Slot.SUFFIX, "!", bos=1)
    full = [Slot.CONTEXT] if context else []
    parts = {
        Slot.CONTEXT: code_points(context),
        Slot.PREFIX: code_points(form.lead_of(Slot.PREFIX, full) + prefix),
        Slot.SUFFIX: code_points("s"),
    }

    assert expected == form.ids(parts, code_points)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: of(1, Slot.PREFIX, 2), 'one place for the suffix, not 0; write {"slot": "suffix"'),
        (lambda: of(1, Slot.SUFFIX, 2), "one place for the prefix, not 0"),
        (lambda: of(1, Slot.SUFFIX, 2, Slot.PREFIX, Slot.PREFIX), "the prefix, not 2"),
        (lambda: of(1, Slot.SUFFIX, 2, Slot.PREFIX, Slot.PATH), "'path'; it belongs to `context`"),
        (lambda: of(1, Slot.SUFFIX, 1, Slot.PREFIX), "share one id.*give each its own"),
        (lambda: of(1, Slot.SUFFIX, 0, Slot.PREFIX), "share one id"),
        (lambda: of(1, Slot.SUFFIX, 2, Slot.PREFIX, bos=2), "share one id"),
        (
            lambda: of(*(1, Slot.SUFFIX, 2, Slot.PREFIX), context=ContextFormat.with_file_token(1)),
            "share one id",
        ),
        (lambda: of(1, Slot.SUFFIX, 2, Slot.PREFIX, stop_strings=("",)), "leave it out"),
        (lambda: ContextFormat(file=(Slot.PATH,)), 'add {"slot": "content"} to it'),
        (lambda: ContextFormat(own_file=(Slot.CONTENT,)), "it may have path"),
        (lambda: ContextFormat(share=2), "from 0 to 1"),
        (lambda: FimTokens(end=0, suffix=1, prefix=1, middle=3), "share one id"),
    ],
)
def test_a_format_that_cannot_be_is_refused_with_its_remedy(made, message):
    with pytest.raises(ValueError, match=message) as error:
        made()

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "form",
    [
        SPM1,
        PromptFormat.of_order(Order.PSM, FimTokens(0, 1, 2, 3), HoleStart.LINE),
        of(8, " ", Slot.CONTEXT, Slot.PREFIX, 9, Slot.SUFFIX, bos=1, stop_strings=("\n+",)),
        replace(
            SPM1,
            other_stops=(7,),
            context=ContextFormat(
                repository=(6, Slot.REPOSITORY), closing=(5,), names_lone_file=True, share=0.5
            ),
        ),
    ],
)
def test_a_format_comes_back_from_json(form):
    assert form == PromptFormat.from_json(form.to_json())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"template": None}, "template must be a list of ids, slots and texts, not None"),
        ({"template": [1, {"slot": "sufix"}]}, "the slot 'sufix'; slots are comment, content"),
        ({"template": [1, {"text": ""}]}, "give an id"),
        ({"template": ["<suf>"]}, "the text '<suf>'; give the token's id"),
        ({"template": [True]}, "must be the id of a token, not True"),
        ({"ends": 3}, "unknown entry 'ends'; known are template, end"),
        ({"context": []}, "context must be an object"),
        ({"context": {"share": "half"}}, "a number from 0 to 1, not 'half'"),
        ({"context": {"order": 1}}, "unknown entry context.'order'"),
        ({"context": {"names_lone_file": 1}}, "true or false"),
        ({"hole_start": "word"}, "hole_start is 'word', not one of cursor, line"),
        ({"stop_strings": "x"}, "stop_strings must be a list of texts"),
        ({"other_stops": 3}, "other_stops must be a list of ids"),
        ({"bos": "<s>"}, "bos is the text '<s>'"),
    ],
)
def test_json_that_is_no_format_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        PromptFormat.from_json(SPM1.to_json() | change)


def test_what_must_be_stated_is_named():
    with pytest.raises(ValueError, match="does not state end; add it"):
        PromptFormat.from_json({"template": []})


def test_tokens_may_be_named_by_their_texts_where_a_tokenizer_is_at_hand():
    ids = {"<end>": 0, "<suf>": 1, "<pre>": 2}
    raw = {"template": ["<suf>", {"slot": "suffix"}, "<pre>", {"slot": "prefix"}], "end": "<end>"}

    assert of(1, Slot.SUFFIX, 2, Slot.PREFIX) == PromptFormat.from_json(raw, ids.get)
    with pytest.raises(ValueError, match=r"'<mid>', which is no token.*correct its spelling"):
        PromptFormat.from_json(raw | {"bos": "<mid>"}, ids.get)


def test_published_formats_are_whole():
    for name in PUBLISHED:
        numbers: dict[str, int] = {}
        form = published_format(name, lambda token, ids=numbers: ids.setdefault(token, len(ids)))

        assert {*numbers.values()} == form.special_ids, name


def test_a_format_that_nobody_published_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="'gpt' is not one of aixcoder, codegemma"):
        published_format("gpt", {}.get)
