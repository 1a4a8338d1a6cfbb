"""Variants are trained and scored with several seeds, and set beside each other."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model_runtime.cli import main
from model_runtime.training.stages import STAGES
from tests.model_runtime.training.runs import RECIPE
from tests.support.requirements import required_sandbox

DATA = Path(__file__).parents[2] / "data" / "human_eval_infilling"
VARIANTS = {
    "ar": ("fim_rate = 0.0", ""),
    "fim": ("fim_rate = 0.9", ""),
    "alibi": ("fim_rate = 0.9", 'positions = "alibi"'),
}


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Variants of two layers, five steps each."""
    folder, found = tmp_path_factory.mktemp("recipes"), {}
    for name, (data, network) in VARIANTS.items():
        text = RECIPE.format(steps=5, save_steps=0, strategy="auto")
        text = text.replace("[data]", f"[data]\n{data}")
        text = text.replace("[network]", f"[network]\n{network}")
        if network:
            text = text.replace('"example"', '"row"')
        found[name] = folder / f"{name}.toml"
        found[name].write_text(text)
    return found


@pytest.fixture(scope="module")
def data_of(corpus: Path, tokenizer_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `fim-runtime train` as far as these variants need it."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "corpus").symlink_to(corpus)
    (folder / "tokenizer").symlink_to(tokenizer_path.parent)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ablation")


@pytest.fixture(scope="module")
def command(recipes: dict[str, Path], data_of: Path, out: Path) -> list[str]:
    variants = [str(recipes[name]) for name in ("ar", "fim")]
    scoring = ["--infilling", str(DATA), "--tasks", "4", "--threads", "1"]
    return [
        "evaluate",
        "ablation",
        *variants,
        "--data-of",
        str(data_of),
        "--out",
        str(out),
        *scoring,
    ]


def times(folder: Path) -> dict[Path, int]:
    """Returns when each file that is costly to make was written."""
    patterns = ("*/*/train/checkpoints/*/*", "*/*/bundle/*", "*/*/infilling/samples.jsonl")
    return {path: path.stat().st_mtime_ns for pattern in patterns for path in folder.glob(pattern)}


@pytest.fixture(scope="module")
def report(command: list[str], out: Path) -> dict:
    assert 0 == main([*command, "--seeds", "2"])
    return json.loads((out / "report.json").read_text())


def test_every_measure_stands_for_every_variant_and_seed(report):
    assert ["ar", "fim"] == report["variants"]
    for measure in ("edit similarity, raw", "bits per byte, middle", "exact match, line"):
        entry = report["measures"][measure]
        for variant in report["variants"]:
            assert 2 == len(entry["seeds"][variant])
            interval = entry["values"][variant]
            assert interval["low"] <= interval["mean"] <= interval["high"]
        difference = entry["values"]["fim"]["mean"] - entry["values"]["ar"]["mean"]
        assert difference == pytest.approx(entry["differences"]["fim"]["mean"])
    assert {"ar", "fim"} == report["held_out"]["mid_bpb"].keys()
    assert 0.0155 == report["card"]["HumanEval-infilling"]["FIM-NeoX-1.3B"]


def test_variants_and_seeds_differ(report):
    bits = report["measures"]["bits per byte, middle"]["seeds"]

    assert 4 == len({*bits["ar"], *bits["fim"]})


def test_the_report_shows_the_reference_table_and_the_picture(report, out):
    text = (out / "report.md").read_text()

    assert "| HumanEval-infilling, pass@10 | 0.0029 | 0.0155 | 0.0029 |" in text
    assert "![loss, bits per byte and pass@k against tokens](curves.svg)" in text
    assert "fim less ar" in text
    assert "trained for" not in text
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_done_is_not_done_again(report, command, out):
    before = times(out)
    assert 0 == main([*command, "--seeds", "2"])

    assert before == times(out)
    assert len(before) > 20


def test_an_ablation_grows_by_variants_and_seeds(report, command, recipes, out):
    before = times(out)
    command = [*command[:4], str(recipes["alibi"]), *command[4:]]
    assert 0 == main([*command, "--seeds", "3"])
    grown = json.loads((out / "report.json").read_text())

    assert before.items() <= times(out).items()
    assert ["ar", "fim", "alibi"] == grown["variants"]
    old, new = (r["measures"]["bits per byte, middle"]["seeds"]["ar"] for r in (report, grown))
    assert old == new[:2]
    assert 3 == len(new)


def test_samples_are_executed_later_and_give_pass_at_k(report, command, out, sandbox_is_here):
    assert 0 == main([*command, "--seeds", "2", "--allow-code-execution"])
    told = json.loads((out / "report.json").read_text())

    entry = told["measures"]["pass@1, raw"]
    assert entry["floor"] is not None
    assert {"ar", "fim"} == entry["values"].keys()
    assert "HumanEval-infilling, %" in (out / "curves.svg").read_text()


@pytest.fixture
def sandbox_is_here():
    required_sandbox()


def test_points_along_a_run_are_scored_and_training_ends_in_the_same_weights(
    report, command, recipes, data_of, out, tmp_path
):
    """Three points: bundles after two and three of five steps, and the end."""
    command = ["evaluate", "ablation", str(recipes["fim"]), "--data-of", str(data_of)]
    command += ["--out", str(tmp_path), "--infilling", str(DATA), "--tasks", "2"]
    assert 0 == main([*command, "--points", "3"])
    folder = tmp_path / "fim" / "seed-0"
    seen = [
        json.loads((folder / place / "infilling" / "report.json").read_text())["terms"][
            "tokens_seen"
        ]
        for place in ("points/1", "points/2", ".")
    ]

    assert seen == sorted(set(seen))
    weights = (folder / "bundle" / "model.safetensors").read_bytes()
    assert weights == (out / "fim" / "seed-0" / "bundle" / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_an_ablation_that_was_ended_goes_on(recipes, data_of, tmp_path):
    """SIGTERM while the first variant is trained; the next start goes on from its checkpoint."""
    arguments = ["evaluate", "ablation", str(recipes["ar"]), str(recipes["fim"]), "--steps", "60"]
    arguments += ["--data-of", str(data_of), "--out", str(tmp_path)]
    log = tmp_path / "ar" / "seed-0" / "train" / "training_log.jsonl"
    program = "import sys; from model_runtime.cli import main; sys.exit(main(sys.argv[1:]))"
    first = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(first, stderr=subprocess.PIPE, text=True) as process:
        while not (log.exists() and '"step": 2,' in log.read_text()):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        process.terminate()
        _, told = process.communicate()

    assert 0 == process.returncode
    assert "the same command goes on from there" in told
    assert not (tmp_path / "report.json").exists()
    assert 0 == main(arguments)
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [line["step"] for line in steps if "event" not in line]
    assert list(range(1, 61)) == steps
    assert (tmp_path / "report.json").exists()


@pytest.mark.slow
def test_data_made_here_is_shared(recipes, corpus, tmp_path):
    """The first variant makes the corpus, the second one is linked to it."""
    sections = "[corpus]\nvalid_share = 0.01\nblock_mb = 0.02\n[tokenizer]\nvocabulary = 400\n"
    variants, out = [tmp_path / f"{name}.toml" for name in ("ar", "fim")], tmp_path / "out"
    for variant in variants:
        variant.write_text(sections + recipes[variant.stem].read_text())
    command = ["evaluate", "ablation", *map(str, variants), "--root", str(corpus.parent / "wheels")]
    assert 0 == main([*command, "--out", str(out), "--steps", "2"])

    (data,) = (out / "data").iterdir()
    for variant in ("ar", "fim"):
        linked = (out / variant / "seed-0" / "tokenizer" / "tokenizer.json").resolve()
        assert (data / "tokenizer" / "tokenizer.json").resolve() == linked
    assert "trained for 2 steps" in (out / "report.md").read_text()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--data-of", "nowhere"], "is missing; --data-of takes the folder"),
        (["no-such-recipe"], "there is no recipe 'no-such-recipe'"),
        (["--infilling", str(DATA), "--samples", "3"], "greedy decoding"),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence(recipes, data_of, tmp_path, capsys, more, told):
    command = ["evaluate", "ablation", str(recipes["fim"]), "--data-of", str(data_of)]

    assert 1 == main([*command, "--out", str(tmp_path), *more])
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


def test_a_wrong_recipe_is_told_before_any_is_trained(recipes, data_of, tmp_path, capsys):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(recipes["fim"].read_text().replace("heads = 2", "head = 2"))
    command = ["evaluate", "ablation", str(recipes["fim"]), str(wrong), "--out", str(tmp_path)]

    assert 1 == main([*command, "--data-of", str(data_of)])
    assert "the nearest right one is 'heads'" in capsys.readouterr().err
    assert not (tmp_path / "fim" / "seed-0" / "train").exists()


def test_stages_before_training_are_known():
    """Else an variant would make data of its own."""
    from model_runtime.training.ablation.shared_data import DATA_STAGES

    assert "corpus" == DATA_STAGES[0]
    assert [stage.name for stage in STAGES][len(DATA_STAGES)] == "train"
