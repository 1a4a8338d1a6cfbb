"""`fim-runtime evaluate` from end to end: a real bundle on a real engine, real programs."""

import json

import pytest

from model_runtime import engines
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.evaluation.__main__ import main
from model_runtime.evaluation.splits import SPLITS
from model_runtime.evaluation.tasks import choose, read_split
from model_runtime.prompt.encoder import PromptBudget, PromptRequest
from tests.support.random_models import VARIANTS, make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("random"), VARIANTS["rotary whole, old spelling"])


@pytest.fixture
def command(bundle, data, tmp_path):
    arguments = ["infilling", str(bundle.path), "--data", str(data), "--max-new-tokens", "4"]
    return [*arguments, "--tasks", "5", "--out", str(tmp_path / "run")]


@pytest.fixture(scope="module")
def known_answers(bundle, data):
    """Prompt -> ids of the answer, with room for 256 new tokens in a context of 4096."""
    encoder, budget, answers = bundle.encoder, PromptBudget(4096 - 256), {}
    for task in choose(read_split(data, SPLITS["single-line"]), 12):
        prompt = encoder.prompt(PromptRequest(task.hole), budget)
        answers[tuple(prompt.ids)] = [*encoder.tokenizer.encode(task.middle), encoder.format.end]
    return answers


@pytest.fixture
def perfect(monkeypatch, known_answers):
    """Engines that know the answers, in place of the random one; they are counted together."""
    prompts = []

    def open_engine(*_, **__):
        engine = ScriptedEngine(lambda ids: known_answers[tuple(ids)], context_length=4096)
        engine.prompts = prompts
        return engine

    monkeypatch.setattr(engines, "open_engine", open_engine)
    return prompts


def test_a_random_model_is_scored(command, sandbox, capsys):
    assert 0 == main([*command, "--allow-code-execution", "--json"])
    told = json.loads(capsys.readouterr().out)

    assert ["floor", "raw", "line", "server"] == [score["label"] for score in told["scores"]]
    assert sandbox.isolation.value == told["terms"]["isolation"]
    for score in told["scores"]:
        assert score["pass_at"]["1"]["low"] <= score["pass_at"]["1"]["mean"]


def test_a_model_that_knows_the_answers_passes_everything(command, perfect, sandbox, capsys):
    command = [*command, "--allow-code-execution", "--json", "--max-new-tokens", "256"]

    assert 0 == main([*command, "--tasks", "12", "--cut", "line"])
    _, raw, line = json.loads(capsys.readouterr().out)["scores"]
    for score in (raw, line):
        assert {"mean": 1.0, "low": 1.0, "high": 1.0} == score["pass_at"]["1"]
        assert 1.0 == score["exact_match"]["mean"] == score["edit_similarity"]["mean"]
        assert 1.0 == score["length_ratio"]
        assert {} == score["failures"]


def test_nothing_is_executed_unasked(command, perfect, capsys, monkeypatch):
    def refuse(*_):
        raise AssertionError("a program was run")

    monkeypatch.setattr("model_runtime.evaluation.sandbox.Sandbox.run", refuse)
    assert 0 == main([*command, "--max-new-tokens", "256"])
    told = capsys.readouterr()

    assert "pass@1" not in told.out.partition("Means")[0]
    assert "add --allow-code-execution" in told.err
    assert 1 == told.err.count("fim-runtime evaluate:")


def test_samples_are_executed_later_and_added_to(command, perfect, sandbox, capsys):
    """A run is drawn first, judged by the next command, and extended by the one after that."""
    command = [*command, "--max-new-tokens", "256"]
    main(command)
    main([*command, "--allow-code-execution"])
    assert 5 == len(perfect)
    main([*command, "--allow-code-execution", "--tasks", "8"])

    assert 8 == len(perfect)


def test_a_report_is_kept_with_all_its_terms(command, perfect, sandbox, tmp_path, capsys):
    main([*command, "--max-new-tokens", "256", "--allow-code-execution"])
    kept = (tmp_path / "run" / "report.md").read_text()

    assert capsys.readouterr().out == kept
    for term in (
        "split: single-line",
        "order: ",
        "engine: scripted",
        "temperature: 0.0",
        "seed: 0",
    ):
        assert term in kept
    for term in (
        "top p: 1.0",
        "max new tokens: 256",
        "rows: 5 of 1033",
        "isolation: ",
        "samples: 1",
    ):
        assert term in kept
    assert "known floor: 27 of 1033 empty answers pass" in kept
    assert json.loads((tmp_path / "run" / "report.json").read_text())["terms"]["order"] == "spm1"


def test_another_question_in_the_same_folder_is_refused(command, perfect, capsys):
    command = [*command, "--max-new-tokens", "256"]
    main(command)
    assert 1 == main([*command, "--temperature", "0.5"])

    assert "temperature is 0.0 there and 0.5 now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--samples", "3"], "greedy decoding"),
        (["--tasks", "5000"], "5000 tasks cannot be chosen from 1033"),
        (["--data", "/nowhere"], "cannot be read"),
        (["--max-new-tokens", "100000"], "lower --max-new-tokens"),
        (["--split", "multi-line"], "openai/human-eval-infilling"),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence_with_the_remedy(command, perfect, capsys, more, told):
    assert 1 == main([*command, *more])
    error = capsys.readouterr().err

    assert told in error
    assert 1 == error.count("\n")


def test_an_unknown_model_is_named(data, capsys):
    assert 1 == main(["infilling", "no-such-model", "--data", str(data)])
    assert "no-such-model" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["infilling", "x"], ["nonsense"]], ids=str)
def test_wrong_usage_ends_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert 2 == ended.value.code


def test_the_evaluation_can_be_tested_alone(data, sandbox, capsys):
    command = ["floor", "--data", str(data), "--split", "random-span-light", "--tasks", "6"]
    assert 2 == main(command)
    assert 0 == main([*command, "--allow-code-execution"])

    assert "reference answers that pass  6 of 6" in capsys.readouterr().out


def test_the_sandbox_introduces_itself(sandbox, capsys):
    assert 0 == main(["sandbox"])
    assert f"confined by {sandbox.isolation.value}" in capsys.readouterr().out
