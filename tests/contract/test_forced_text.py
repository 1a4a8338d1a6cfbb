"""Every engine decodes texts that begin as it is told, and all of them the same ones."""

import threading
from dataclasses import replace

import pytest

from model_runtime.decoding.generate import Finish, generate_text
from model_runtime.engines.protocol import SamplingParams
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptEncoder, PromptRequest
from model_runtime.prompt.format import HoleStart
from tests.contract.conftest import ENGINES

GREEDY = SamplingParams(max_tokens=6, stop_ids=frozenset())
TYPED = {
    "a word that is begun": "    return val",
    "what no model expects": "zq!! ]] ;;; Xyzzy--+",
    "emoji": "print('👩‍👩‍👧 🙂",
    "CJK": "名前 = '日本語の",
    "tabs": "\t\tif\tx",
    "white space alone": "        ",
    "one character": "x",
    "a combining mark": "cafe\u0301",
    "text that spells a sentinel": "s = '<|MID|>",
}


@pytest.fixture(scope="module")
def hole():
    return Hole("import os\n\n\ndef area(width, height):\n", "\n    return None\n")


@pytest.fixture
def generate(engine_of, bundle_of, hole):
    """A function that completes typed text with one engine and one variant."""

    def run(engine_name, variant, typed, sampling=GREEDY, cancel=None):
        bundle = bundle_of(variant)
        encoder = PromptEncoder(
            bundle.tokenizer, replace(bundle.manifest.prompt, hole_start=HoleStart.LINE)
        )
        request = PromptRequest(Hole(hole.prefix + typed, hole.suffix))
        prompt = encoder.prompt(request, PromptBudget(300))
        return generate_text(
            engine_of(engine_name, variant),
            bundle.tokenizer,
            prompt.ids,
            sampling,
            forced_text=prompt.forced_text,
            cancel=cancel,
        )

    return run


@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED.keys())
@pytest.mark.parametrize("variant", ["rotary quarter", "alibi, six heads, sequential"])
def test_the_engines_agree_on_the_text_behind_what_is_typed(generate, variant, typed):
    found = [generate(name, variant, typed) for name in ENGINES]

    assert 1 == len({one.text for one in found})
    assert found[0].probability == pytest.approx(found[1].probability, rel=2e-3)
    assert found[0].probability == pytest.approx(found[2].probability, rel=2e-3)
    assert all(one.text for one in found)


def test_typing_on_gives_what_a_fresh_engine_gives(generate, engine_name, engine_of):
    line = "    return value + width * height"
    on_the_way = {at: generate(engine_name, "tied", line[:at]).text for at in range(4, len(line))}
    back = {at: generate(engine_name, "tied", line[:at]).text for at in reversed(on_the_way)}
    alone = {}
    for at in list(on_the_way)[::7]:
        generate(engine_name, "tied", "class Other(Thing):" + "x" * at)  # another text in between
        alone[at] = generate(engine_name, "tied", line[:at]).text

    assert on_the_way == back
    assert alone == {at: on_the_way[at] for at in alone}


@pytest.mark.parametrize("engine_name", ["onnx", "torch"])
@pytest.mark.parametrize(
    ("edits", "median"),
    [
        (["    return v", "    return va", "    return val", "    return valu"], 3),
        (["    return value", "    return valu", "    return val"], 3),
        # A word that is spelled as it was needs nothing, a misspelled one the end of its line.
        (["    return value", "    return valua", "    return value", "    return value "], 16),
    ],
    ids=["keys", "deletions", "corrections"],
)
def test_a_key_on_the_same_line_costs_few_ids(generate, engine_name, edits, median):
    _, *others = (generate(engine_name, "sequential", typed) for typed in edits)

    costs = sorted(one.read_tokens for one in others)
    assert costs[len(costs) // 2] <= median
    assert costs[-1] <= 16  # where the tokenizer spells the end of the line in another way


def test_a_stop_id_may_come_only_behind_what_is_typed(generate, engine_name, bundle_of):
    vocabulary = frozenset(range(bundle_of("rotary quarter").tokenizer.size))
    sampling = SamplingParams(6, vocabulary)

    found = generate(engine_name, "rotary quarter", "    return val", sampling)

    assert (Finish.END, 1) == (found.finish, found.tokens)


def test_samples_differ_behind_what_is_typed(generate, engine_name):
    found = {
        generate(
            engine_name, "rotary quarter", "    ret", SamplingParams(4, frozenset(), 1.5, seed=seed)
        ).text
        for seed in range(8)
    }

    assert len(found) > 2


def test_a_cancelled_request_writes_nothing(generate, engine_name):
    cancel = threading.Event()
    cancel.set()

    found = generate(engine_name, "rotary quarter", "    return area_", cancel=cancel)

    assert (Finish.CANCELLED, "") == (found.finish, found.text)


def test_the_sentinels_of_a_format_are_never_part_of_a_spelling(bundle_of):
    bundle = bundle_of("rotary quarter")
    form = replace(bundle.manifest.prompt, hole_start=HoleStart.LINE)
    encoder = PromptEncoder(bundle.tokenizer, form)
    prompt = encoder.prompt(PromptRequest(Hole("x = '<|MID|>", "'")), PromptBudget(300))
    forced = bundle.tokenizer.forced(prompt.forced_text)

    found = {*forced.finishing(), *forced.continuing()}

    assert not found & form.special_ids
