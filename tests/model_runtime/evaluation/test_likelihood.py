"""Bits per byte: what is asked of the model, what counts, and what does not fit."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from model_runtime.engines import open_engine
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.evaluation.likelihood import Scored, plan, score_texts, summarize
from model_runtime.evaluation.records import JsonLines
from model_runtime.evaluation.tasks import Task
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptEncoder, PromptRequest
from model_runtime.prompt.format import HoleStart
from tests.support.oracle import Oracle
from tests.support.random_models import VARIANTS, make_bundle

END = 0
TASKS = [
    Task("t/0", 0, Hole("def f(x):\n", "    return y\n"), "    y = x + 1\n", "", "f"),
    Task("t/1", 0, Hole("def f(x):\n    y = x + 1\n", ""), "    return y\n", "", "f"),
    Task("t/2", 1, Hole('s = "', '"\n'), "é🙂", "", "s"),
]


@dataclass(frozen=True)
class Model:
    encoder: PromptEncoder
    stop_ids: frozenset[int] = frozenset({END})


class Listening(ScriptedEngine):
    """Gives every token one bit, and remembers what it was asked to score."""

    def __init__(self, context_length=2048):
        super().__init__([END], context_length=context_length, logprob=-math.log(2))
        self.scored = []

    def logprobs(self, ids):
        self.scored.append(list(ids))
        return super().logprobs(ids)


@pytest.fixture(scope="module")
def model(seed_encoder):
    return Model(seed_encoder)


@pytest.fixture
def store(tmp_path):
    return JsonLines(tmp_path / "bits.jsonl")


def found(model, engine, store, tasks=TASKS):
    return {(text.kind, text.id): text for text in score_texts(model, engine, tasks, store)}


def test_each_middle_is_scored_twice_and_each_program_once():
    assert [
        ("middle", "t/0"), ("middle", "t/1"), ("middle", "t/2"),
        ("middle_ltr", "t/0"), ("middle_ltr", "t/1"), ("middle_ltr", "t/2"),
        ("program_ltr", "t/0"), ("program_ltr", "t/2"),
    ] == [(kind, task.id) for kind, task in plan(TASKS)]  # fmt: skip


def test_the_text_stands_behind_the_prompt_of_its_kind(model, store):
    engine, encode = Listening(), model.encoder.tokenizer.encode
    found(model, engine, store)
    task = TASKS[0]
    prompt = model.encoder.prompt(PromptRequest(task.hole), PromptBudget(2000)).ids

    assert [*prompt, *encode(task.middle)] == engine.scored[0]
    assert [END, *encode(task.hole.prefix), *encode(task.middle)] == engine.scored[3]
    assert [END, *encode("def f(x):\n    y = x + 1\n    return y\n")] == engine.scored[6]


def test_bits_are_those_of_the_texts_own_tokens(model, store):
    """Neither the prompt's nor END's; the size is that of UTF-8."""
    texts, encode = found(model, Listening(), store), model.encoder.tokenizer.encode
    for kind in ("middle", "middle_ltr"):
        for task in TASKS:
            text = texts[kind, task.id]
            expected = (len(encode(task.middle)), len(task.middle.encode()), task.problem)
            assert expected == (text.bits, text.size, text.problem)

    assert 6 == texts["middle", "t/2"].size


def test_bits_are_what_a_plain_network_says(store, tmp_path):
    bundle = make_bundle(tmp_path, VARIANTS["rotary quarter"])
    engine = open_engine(bundle, engine="ctranslate2", threads=1)
    task = replace(TASKS[0], middle="y")
    try:
        text = found(bundle, engine, store, [task])["middle", "t/0"]
    finally:
        engine.close()
    middle = bundle.encoder.tokenizer.encode(task.middle)
    room = engine.context_length - len(middle)
    prompt = bundle.encoder.prompt(PromptRequest(task.hole), PromptBudget(room)).ids
    logprobs = Oracle(bundle).logprobs([*prompt, *middle])[len(prompt) - 1 : -1]
    expected = -logprobs[np.arange(len(middle)), middle].sum() / math.log(2)

    assert expected == pytest.approx(text.bits, rel=0.05)  # CTranslate2 computes in int8


def test_what_does_not_fit_is_left_out_and_counted(model, store):
    long = replace(TASKS[0], id="t/9", problem=9, middle="x = 1\n" * 60)
    texts = found(model, Listening(context_length=64), store, [*TASKS, long])

    assert all(math.isnan(texts[kind, "t/9"].bits) for kind in ("middle", "middle_ltr"))
    assert 360 == texts["middle", "t/9"].size
    by_kind = {kind.kind: kind for kind in summarize(list(texts.values()))}
    assert (3, 1) == (by_kind["middle"].texts, by_kind["middle"].left_out)
    assert (2, 1) == (by_kind["program_ltr"].texts, by_kind["program_ltr"].left_out)


def test_a_long_prefix_loses_its_beginning_and_keeps_end_in_front(model, store):
    engine, encode = Listening(context_length=64), model.encoder.tokenizer.encode
    prefix = "".join(f"x{number} = {number}\n" for number in range(60))
    task = replace(TASKS[0], hole=Hole(prefix, ""))
    text = found(model, engine, store, [task])["middle_ltr", "t/0"]
    middle = list(encode(task.middle))
    (asked,) = [ids for ids in engine.scored if ids[0] == END]

    assert 64 == len(asked)
    assert [*list(encode(prefix))[-(63 - len(middle)) :], *middle] == asked[1:]
    assert len(middle) == text.bits


def test_texts_that_are_stored_are_not_scored_again(model, store):
    first = found(model, Listening(), store, TASKS[:2])
    engine = Listening()
    again = found(model, engine, store)

    assert first.items() <= again.items()
    assert 3 == len(engine.scored)
    assert 8 == len(store.read())


def test_what_did_not_fit_is_stored_as_such(model, store):
    long = replace(TASKS[0], middle="x = 1\n" * 60)
    found(model, Listening(context_length=64), store, [long])
    (again,) = (
        text
        for text in score_texts(model, Listening(context_length=64), [long], store)
        if text.kind == "middle"
    )

    assert math.isnan(again.bits)


def test_long_texts_weigh_more():
    texts = [Scored("middle", "a", 0, 8.0, 1), Scored("middle", "b", 1, 2.0, 4)]
    (summary,) = summarize(texts)

    assert (2.0, 2, 5, 0) == (
        summary.bits_per_byte.mean,
        summary.texts,
        summary.size,
        summary.left_out,
    )
    assert () == summarize([Scored("middle", "a", 0, math.nan, 1)])


def test_an_empty_middle_has_no_bits(model, store):
    empty = Task("t/3", 2, Hole("def f(x):\n    ", "return x\n"), "", "", "f")
    texts = found(model, Listening(), store, [empty])

    assert [0.0, 0] == [texts["middle", "t/3"].bits, texts["middle", "t/3"].size]


def test_what_stands_before_the_cursor_on_its_line_is_not_counted(seed_encoder, store):
    encoder = PromptEncoder(
        seed_encoder.tokenizer, replace(seed_encoder.format, hole_start=HoleStart.LINE)
    )
    engine = Listening()
    task = Task("t/4", 2, Hole("def f(x):\n    return value", "\n"), " + 1", "", "f")
    texts = found(Model(encoder), engine, store, [task])

    (asked,) = (ids for ids in engine.scored if 50279 in ids)
    answer = asked[asked.index(50279) + 1 :]
    assert "    return value + 1" == encoder.tokenizer.decode(answer)
    assert len(encoder.tokenizer.encode(" + 1")) == texts["middle", "t/4"].bits
