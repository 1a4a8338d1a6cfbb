"""A card says what files say, and the curve of a bundle shows its runs one after the other."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from model_runtime.evaluation.training_curve import Point, read_consecutive_runs
from model_runtime.store import installed
from model_runtime.training.bundle_card import main
from tests.model_runtime.training.test_export import report_of


def write_log(path: Path, steps: int, bits: float) -> Path:
    """A training log of some steps, with a validation at its end."""
    lines = [
        {"step": step, "tokens": 1_000_000 * step, "bits_per_byte": bits / step, "loss": 1.0}
        for step in range(1, steps + 1)
    ]
    figures = {"ltr_bpb": 1.5, "mid_bpb": 1.25, "line_bpb": 1.0, "eod": 0.5}
    figures |= {"exact_line": 0.25, "exact_cursor": 0.125}
    lines += [{"event": "valid", "step": steps, "tokens": 1_000_000 * steps, **figures}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """The folder of a bundle whose card was written."""
    bundle = tmp_path / "bundle"
    shutil.copytree(installed.default_folder(), bundle)
    (bundle / "MODEL_CARD.md").unlink()
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "licences.tsv").write_text("package\t1.0\tpermissive\texpression\tMIT\n")
    facts = {"bytes": 12_300_000, "files": 1234, "packages": 56, "benchmark_programs": 164}
    facts["licences"] = {"permissive": 56, "copyleft": 7}
    (corpus / "manifest.json").write_text(json.dumps(facts))
    logs = [write_log(tmp_path / "a.jsonl", 3, 4.0), write_log(tmp_path / "b.jsonl", 2, 2.0)]
    command = [str(bundle), "--corpus", str(corpus / "manifest.json"), "--note", "A note."]
    command += ["--report", str(report_of(tmp_path / "report.json", model="default"))]
    main([*command, *(word for log in logs for word in ("--log", str(log)))])
    return bundle


def test_the_card_of_a_bundle_is_made_of_manifest_corpus_logs_and_scores(card: Path):
    _, front, text = (card / "MODEL_CARD.md").read_text().split("---\n", 2)
    manifest = json.loads((card / "manifest.json").read_text())

    assert 0.05 == yaml.safe_load(front)["model-index"][0]["results"][0]["metrics"][0]["value"]
    for words in (
        f"# {manifest['name']}",
        f"{manifest['parameters']:,} parameters",
        "A note.",
        "`<|SUF|> suffix <|PRE|> prefix <|MID|>` -> middle, `<|endoftext|>`",
        "12.3 MB in 1,234 files of 56 packages",
        "left out: 7 copyleft",
        "5.0 M tokens in 2 run(s) that followed each other (3.0, 5.0 M at their ends)",
        "![bits per byte against tokens](loss_curve.svg)",
        "ltr_bpb 1.500, mid_bpb 1.250",
        "| uncut: the model stops by itself | 5.00% (4.00% to 6.00%) |",
    ):
        assert words in text
    assert "permissive" in (card / "licences.tsv").read_text()


def test_the_picture_of_a_bundle_shows_bits_per_byte_against_tokens(card: Path):
    picture = (card / "loss_curve.svg").read_text()

    for words in ("training (running mean)", "middles of held-out packages", "million tokens"):
        assert f">{words}<" in picture


def test_runs_that_followed_each_other_have_one_axis_of_tokens(tmp_path: Path):
    logs = [write_log(tmp_path / "a.jsonl", 3, 4.0), write_log(tmp_path / "b.jsonl", 2, 2.0)]
    runs = read_consecutive_runs(logs)

    assert (3e6, 5e6) == runs.ends
    assert [1e6, 2e6, 3e6, 4e6, 5e6] == [point.tokens for point in runs.train]
    assert [4.0, 3.0] == [point.value for point in runs.train][:2]  # a running mean
    assert (Point(3e6, 1.25), Point(5e6, 1.25)) == runs.middle
