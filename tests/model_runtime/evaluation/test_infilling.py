"""Samples are drawn as the server would ask for them, uncut, and a run goes on where it ended."""

import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.errors import EngineError
from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.infilling import DrawSettings, draw_samples, of_like_length
from model_runtime.evaluation.records import JsonLines
from model_runtime.evaluation.splits import SPLITS
from model_runtime.evaluation.tasks import choose, read_split
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptEncoder, PromptRequest
from model_runtime.prompt.format import HoleStart
from model_runtime.store import installed

END, SUFFIX = 0, 50277


@dataclass(frozen=True)
class Model:
    encoder: PromptEncoder
    stop_ids: frozenset[int] = frozenset({END, SUFFIX, 50278, 50279})


@pytest.fixture(scope="module")
def model(seed_encoder):
    return Model(seed_encoder)


@pytest.fixture(scope="module")
def tasks(data):
    return choose(read_split(data, SPLITS["single-line"]), 6)


@pytest.fixture
def store(tmp_path):
    return JsonLines(tmp_path / "samples.jsonl")


def draw(model, engine, tasks, store, **settings):
    return list(draw_samples(model, engine, tasks, DrawSettings(**settings), store))


def saying(model, text, **options):
    return ScriptedEngine.saying(text, model.encoder.tokenizer.encode, END, **options)


def test_the_prompt_is_what_the_server_sends(model, tasks, store):
    engine = saying(model, "x", context_length=2048)
    draw(model, engine, tasks, store, max_new_tokens=48)
    budget = PromptBudget(2048 - 48)
    expected = [model.encoder.prompt(PromptRequest(task.hole), budget).ids for task in tasks]

    assert sorted(expected, key=len) == engine.prompts  # neighbours in length go together


@pytest.mark.parametrize("text", ["    return 1\n", "", "\n\n", "a\nb\nc\n", "é🙂"])
def test_a_completion_is_kept_uncut(model, tasks, store, text):
    samples = draw(model, saying(model, text), tasks, store)

    assert [text] * 6 == [sample.text for sample in samples]
    assert all(sample.has_stopped for sample in samples)


def test_an_empty_answer_is_an_answer(model, tasks, store):
    """The reference model's script wrote it as null, so that its models scored below doing nothing."""
    draw(model, ScriptedEngine([END]), tasks, store)

    assert [""] * 6 == [json.loads(line)["text"] for line in store.path.read_text().splitlines()]


def test_another_sentinel_ends_a_completion_as_well(model, tasks, store):
    encode = model.encoder.tokenizer.encode
    samples = draw(model, ScriptedEngine([*encode("x = 1"), SUFFIX, *encode("no")]), tasks, store)

    assert {("x = 1", True)} == {(sample.text, sample.has_stopped) for sample in samples}


def test_a_completion_at_the_token_limit_has_not_stopped_by_itself(model, tasks, store):
    samples = draw(model, saying(model, "a b c d e f g"), tasks, store, max_new_tokens=3)

    assert {(3, False)} == {(len(sample.ids), sample.has_stopped) for sample in samples}


def test_half_a_character_at_the_limit_is_left_out(model, tasks, store):
    ids = model.encoder.tokenizer.encode("x = 🙂")[:-1]
    samples = draw(model, ScriptedEngine(ids), tasks, store)

    assert {"x ="} == {sample.text for sample in samples}


def test_a_prompt_that_does_not_fit_is_marked(model, tasks, store):
    samples = draw(model, saying(model, "x", context_length=120), tasks, store, max_new_tokens=20)

    assert any(sample.is_prompt_cut for sample in samples)
    assert all(sample.prompt_tokens <= 100 for sample in samples)


def test_what_is_typed_on_the_line_is_not_missing_from_the_prompt(tasks, store):
    """A model that writes the line from its start begins its answer with what is typed."""
    model = Model(ModelBundle.open(installed.default_folder()).encoder)
    assert HoleStart.LINE is model.encoder.hole_start
    typed = [
        replace(task, hole=Hole(task.hole.prefix + "total = 0", task.hole.suffix)) for task in tasks
    ]
    samples = draw(model, ScriptedEngine([END], context_length=2048), typed, store)

    assert not any(sample.is_prompt_cut for sample in samples)


def test_samples_of_a_task_differ_in_their_seed_only(model, tasks, store):
    seeds = []

    class Listening(ScriptedEngine):
        def generate(self, prompt, sampling, cancel=None):
            seeds.append(sampling.seed)
            return super().generate(prompt, sampling, cancel)

    draw(model, Listening([END]), tasks, store, samples=3, temperature=0.8)

    assert 18 == len(set(seeds))


def test_seeds_do_not_depend_on_what_else_is_drawn(model, tasks, tmp_path):
    def seeds(tasks, samples):
        engine, found = ScriptedEngine([END]), {}
        generate = engine.generate

        def listening(prompt, sampling, cancel=None):
            found[tuple(prompt), len(found)] = sampling.seed
            return generate(prompt, sampling, cancel)

        engine.generate = listening
        store = JsonLines(tmp_path / f"{len(tasks)}-{samples}")
        draw(model, engine, tasks, store, samples=samples, temperature=1.0)
        return list(found.values())

    assert set(seeds(tasks[:1], 2)) < set(seeds(tasks, 2))


def test_a_broken_run_goes_on_where_it_ended(model, tasks, store):
    class Breaking(ScriptedEngine):
        def generate(self, prompt, sampling, cancel=None):
            if len(self.prompts) == 4:
                raise EngineError("out of memory")
            return super().generate(prompt, sampling, cancel)

    settings = DrawSettings()
    with pytest.raises(EngineError):
        list(draw_samples(model, Breaking([END]), tasks, settings, store, batch=2))
    engine = ScriptedEngine([END])
    samples = draw(model, engine, tasks, store)

    assert 2 == len(engine.prompts)
    assert {task.id for task in tasks} == {sample.task for sample in samples}
    assert 6 == len(samples)


def test_a_line_that_was_not_finished_is_drawn_again(model, tasks, store):
    draw(model, ScriptedEngine([END]), tasks, store)
    store.path.write_bytes(store.path.read_bytes()[:-20])
    engine = ScriptedEngine([END])
    draw(model, engine, tasks, store)

    assert 1 == len(engine.prompts)
    assert 6 == len(store.read())


def test_a_damaged_line_is_not_overlooked(store):
    store.path.write_text('{"task": "a"}\nnonsense\n{"task": "b"}\n')

    with pytest.raises(EvaluationError, match="line 2, is damaged"):
        store.read()


def test_a_run_can_be_extended_by_samples(model, tasks, store):
    draw(model, ScriptedEngine([END]), tasks, store, samples=2, temperature=0.2)
    engine = ScriptedEngine([END])
    samples = draw(model, engine, tasks, store, samples=5, temperature=0.2)

    assert 18 == len(engine.prompts)
    assert 30 == len(samples)


@pytest.mark.parametrize(
    "settings",
    [
        {"samples": 0},
        {"samples": 5},  # greedy
        {"temperature": -0.1},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"max_new_tokens": 0},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(EvaluationError):
        DrawSettings(**settings)


@pytest.mark.parametrize("batch", [1, 2, 5, 16])
def test_the_size_of_a_batch_changes_no_sample(model, tasks, tmp_path, batch):
    def drawn(name, size):
        store = JsonLines(tmp_path / name)
        settings = DrawSettings(samples=2, temperature=0.5)
        engine = ScriptedEngine(lambda ids: [*ids[-4:], END])
        samples = draw_samples(model, engine, tasks, settings, store, batch=size)
        return {(s.task, s.number): (s.ids, s.has_stopped, s.prompt_tokens) for s in samples}

    assert drawn("one", 1) == drawn("many", batch)


def test_new_tokens_must_leave_room_for_a_prompt(model, tasks, store):
    with pytest.raises(EvaluationError, match="lower --max-new-tokens"):
        draw(model, saying(model, "x", context_length=64), tasks, store, max_new_tokens=60)


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(1, 8))
def test_prompts_that_are_decoded_together_are_of_like_length(lengths, size):
    groups = list(of_like_length(lengths, int, size))

    assert sorted(lengths) == [length for group in groups for length in group]
    assert all(1 <= len(group) <= size and group[-1] - group[0] <= 3 for group in groups)
