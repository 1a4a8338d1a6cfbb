"""`evaluate harness` from end to end on rows of our own: another process, without any socket."""

import json
import math
import subprocess
import sys

import pytest

from model_runtime.engines import open_engine
from model_runtime.models.bundle import ModelBundle
from model_runtime.store import installed

pytestmark = pytest.mark.slow

CHOICES = {"text": ["a pan", "the moon", "a wet shoe", "seven"], "label": ["A", "B", "C", "D"]}
ROWS = {
    "arc_easy.test": [
        {"id": "1", "question": "What fries an egg?", "choices": CHOICES, "answerKey": "A"},
        {"id": "2", "question": "What lights the night?", "choices": CHOICES, "answerKey": "B"},
    ],
    "arc_challenge.test": [
        {"id": "1", "question": "What follows six?", "choices": CHOICES, "answerKey": "D"},
    ],
    "lambada_openai.test": [
        {"text": "She opened the door and went out of the door"},
        {"text": "one two three four five six seven eight"},
    ],
    "piqa.validation": [
        {"goal": "To cool soup,", "sol1": "wait.", "sol2": "burn it for an hour.", "label": 0},
        {"goal": "To dry a cup,", "sol1": "put it under water.", "sol2": "wipe.", "label": 1},
    ],
    "sciq.validation": [
        {
            "question": "What do plants drink?",
            "distractor1": "sand",
            "distractor2": "glass",
            "distractor3": "light bulbs",
            "correct_answer": "water",
            "support": "Roots take up water.",
        }
    ],
    "wsc_superglue.validation": [
        {
            "text": "The cup fell on the floor because it was wet.",
            "span1_index": 4,
            "span2_index": 7,
            "span1_text": "the floor",
            "span2_text": "it",
            "idx": 0,
            "label": 1,
        }
    ],
    "winogrande_xl.validation": [
        {
            "sentence": "The stone broke the glass because the _ was hard.",
            "option1": "stone",
            "option2": "glass",
            "answer": "1",
        }
    ],
}
WITHOUT_SOCKETS = (
    "import socket, sys\n"
    "class Closed(socket.socket):\n"
    "    def connect(self, *_):\n"
    "        raise AssertionError('a connection was tried')\n"
    "    connect_ex = connect\n"
    "def lookup(*_, **__):\n"
    "    raise AssertionError('a name was looked up')\n"
    "socket.socket, socket.getaddrinfo = Closed, lookup\n"
    "from model_runtime.evaluation.__main__ import main\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    for name, rows in ROWS.items():
        lines = [json.dumps(row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def bundle():
    return ModelBundle.open(installed.default_folder())


@pytest.fixture(scope="module")
def run(data, bundle, tmp_path_factory):
    """Folder and standard output of one evaluation."""
    out = tmp_path_factory.mktemp("run")
    arguments = ["harness", str(bundle.path), "--data", str(data), "--out", str(out), "--json"]
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_SOCKETS, *arguments, "--threads", "1"],
        capture_output=True,
        text=True,
    )
    assert 0 == ended.returncode, ended.stderr
    return out, ended.stdout


@pytest.fixture(scope="module")
def measured(run):
    return {(entry["task"], entry["measure"]): entry for entry in json.loads(run[1])["measured"]}


def test_all_seven_tasks_are_measured_without_a_network(measured):
    assert {
        "arc_easy", "arc_challenge", "lambada_openai", "piqa", "sciq", "wsc", "winogrande",
    } == {task for task, _ in measured}  # fmt: skip
    for entry in measured.values():
        assert entry["value"]["low"] <= entry["value"]["mean"] <= entry["value"]["high"]


def test_piqa_is_what_a_hand_calculation_says(measured, bundle):
    """The answer whose ids are likelier, after the question's."""
    engine = open_engine(bundle, engine="ctranslate2", threads=1)
    encode, right = bundle.tokenizer.encode, 0
    for row in ROWS["piqa.validation"]:
        question = [bundle.encoder.format.end, *encode(f"Question: {row['goal']}\nAnswer:")]
        sums = []
        for answer in (row["sol1"], row["sol2"]):
            ids = encode(f" {answer}")
            scored = engine.logprobs([*question, *ids])[-len(ids) :]
            sums.append(sum(token.logprob for token in scored))
        right += sums.index(max(sums)) == row["label"]
    engine.close()

    entry = measured["piqa", "acc"]
    assert (right / 2, 2) == (entry["value"]["mean"], entry["rows"])


def test_lambada_is_what_a_hand_calculation_says(measured, bundle):
    engine = open_engine(bundle, engine="ctranslate2", threads=1)
    encode, sums = bundle.tokenizer.encode, []
    for row in ROWS["lambada_openai.test"]:
        context, _, word = row["text"].rpartition(" ")
        ids = encode(f" {word}")
        scored = engine.logprobs([bundle.encoder.format.end, *encode(context), *ids])
        sums.append(sum(token.logprob for token in scored[-len(ids) :]))
    engine.close()

    assert math.exp(-sum(sums) / 2) == pytest.approx(
        measured["lambada_openai", "perplexity"]["value"]["mean"], rel=1e-3
    )


def test_the_floor_prefers_the_shortest_answer(measured):
    """`wait.` is right and short, and so is `wipe.`; `yes` is longer than `no`."""
    assert 1.0 == measured["piqa", "acc"]["floor"]
    assert 0.0 == measured["wsc", "acc"]["floor"]
    assert 0.0 == measured["lambada_openai", "acc"]["floor"]


def test_the_reference_table_is_printed_beside_ours(run):
    table = (run[0] / "report.md").read_text()

    assert "| piqa, acc | 0.7116 | 0.7029 | 0.6926 | 0.5000 | 1.0000 |" in table
    assert "| HumanEval-infilling, pass@10 | 0.0029 | 0.0155 | 0.0029 |" in table
    assert "not run" in table


def test_a_missing_file_of_rows_is_named(data, bundle, tmp_path, capsys):
    from model_runtime.evaluation.__main__ import main

    command = ["harness", str(bundle.path), "--data", str(tmp_path), "--out", str(tmp_path / "o")]
    assert 1 == main(command)
    assert "arc_easy.test.jsonl is missing" in capsys.readouterr().err
    assert 2 == main(["harness", str(bundle.path)])
    assert "--online" in capsys.readouterr().err
