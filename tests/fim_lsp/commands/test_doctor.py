"""The doctor tells how the engines do, and which model suits the machine."""

import json
import sys
from dataclasses import replace

import pytest

from fim_lsp.commands import doctor
from fim_lsp.commands.doctor_page import print_report
from fim_lsp.commands.doctor_report import Keys, Machine, Report, Row
from fim_lsp.settings import Settings
from model_runtime.engines import registry

EMBEDDED = Settings(engine="onnx")
FIT = "fits: 1.0 GB of 8.0 GB memory, a suggestion about 150 ms after a key"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    for module in ("engines.artifact_cache", "measurements"):
        monkeypatch.setattr(f"model_runtime.{module}.user_cache_path", lambda *_, **__: tmp_path)


@pytest.fixture
def without_onnx(monkeypatch):
    """Gives the package another name, which is installed nowhere."""
    for module in ("engine", "session", "product_probe"):
        monkeypatch.delitem(sys.modules, f"model_runtime.engines.onnx.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    restore = registry.register(replace(registry.find("onnx"), package="a-package-of-no-one"))
    yield
    restore()


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_it_shows_what_each_engine_did_and_takes_the_fastest(capsys):
    assert 0 == doctor.show(Settings(), as_json=False)

    text = said(capsys)
    assert 2 == text.count("ms a key")
    assert "everything works" in text or "close busy programs" in text


def test_it_shows_how_much_of_what_was_read_is_kept_and_of_how_much(capsys):
    assert 0 == doctor.show(replace(EMBEDDED, prompt_memory_mb=60), as_json=True)

    kept = json.loads(capsys.readouterr().out)["kept_texts"]
    assert (3, 60_000_000) == (kept["number"], kept["max_bytes"])
    assert 0 < kept["used_bytes"] < kept["max_bytes"]


def test_it_names_the_languages_and_shows_one_suggestion_with_its_time(capsys):
    assert 0 == doctor.show(EMBEDDED, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert "python" in told["languages"]
    sample = told["keys"]["sample"]
    assert sample["text"]
    assert sample["milliseconds"] > 0

    assert 0 == doctor.show(EMBEDDED, as_json=False)
    text = said(capsys)
    assert "suggests while you type in" in text
    assert "for example" in text
    assert "docs/troubleshooting.md" in text


def test_it_names_the_command_that_installs_a_missing_engine(capsys, without_onnx):
    assert 0 == doctor.show(Settings(), as_json=False)

    text = said(capsys)
    assert "onnx is not installed" in text
    assert "pip install a-package-of-no-one" in text
    assert "engine ctranslate2" in text
    assert "95 of 100 suggestions within" in text
    assert "predicted" not in text  # predictions are those of another engine


def test_an_engine_that_was_asked_for_and_is_missing_is_a_problem_with_a_remedy(
    capsys, without_onnx
):
    assert 1 == doctor.show(Settings(engine="onnx"), as_json=False)

    text = said(capsys)
    assert "pip install --force-reinstall a-package-of-no-one" in text
    assert "leave the engine at auto" in text


def test_it_names_the_folders_and_the_editors_of_this_machine(capsys, tmp_path, monkeypatch):
    (tmp_path / "hx").write_text("#!/bin/sh\n")
    (tmp_path / "hx").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert 0 == doctor.show(Settings(engine="onnx"), as_json=True)
    told = json.loads(capsys.readouterr().out)

    assert ["helix"] == told["editors"]
    assert {"models", "cache", "log"} == told["folders"].keys()


def test_a_gpu_without_what_it_needs_is_a_problem_that_names_it(capsys):
    assert 1 == doctor.show(Settings(device="cuda"), as_json=True)
    [problem] = json.loads(capsys.readouterr().out)["problems"]

    assert "pip install 'fim-lsp[torch]'" in problem["remedy"]
    assert "leave the device at auto" in problem["remedy"]


def test_a_chosen_model_that_is_gone_is_a_problem_with_a_remedy(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "fim-lsp").mkdir()
    (tmp_path / "fim-lsp" / "chosen-model").write_text("vanished")
    assert 1 == doctor.show(Settings(), as_json=False)

    text = said(capsys)
    assert "no model has the name 'vanished'" in text
    assert "fim-runtime models use default" in text


def test_json_has_the_machine_the_keys_and_each_public_model(capsys):
    assert 0 == doctor.show(EMBEDDED, as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert told["ok"]
    assert told["first_token_ms"] > 0
    assert told["tokens_per_second"] > 0
    assert 0 < told["machine"]["free_memory_bytes"] <= told["machine"]["memory_bytes"]
    assert told["machine"]["threads"] >= 1
    assert 0 < told["keys"]["number"] <= 80
    for figure in ("measured_p95_ms", "predicted_p95_ms", "predicted_p95_ms_of_these"):
        assert told["keys"][figure] > 0
    assert "qwen2.5-coder-0.5b" in [row["name"] for row in told["catalogue"]]
    assert all(row["why"] and row["key_ms"] > 0 for row in told["catalogue"])
    assert sum(row["is_recommended"] for row in told["catalogue"]) <= 1


def test_a_catalogue_that_is_damaged_is_a_problem_and_the_model_works(
    capsys, monkeypatch, tmp_path
):
    path = tmp_path / "ours.json"
    path.write_text("{")
    monkeypatch.setenv("FIM_LSP_CATALOGUE", str(path))

    assert 0 == doctor.show(EMBEDDED, as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert [] == told["catalogue"]
    assert str(path) in told["problems"][0]["problem"]


# What is printed

MACHINE = Machine(
    usable_cores=8,
    memory_bytes=16 * 10**9,
    free_memory_bytes=8 * 10**9,
    bandwidth_bytes_per_second=60 * 10**9,
    operations_per_second=10**12,
    threads=4,
    is_busy=False,
)
QUICK = Row(
    name="qwen2.5-coder-0.5b",
    parameters=494 * 10**6,
    memory_bytes=10**9,
    key_ms=147.0,
    fits=True,
    is_recommended=True,
    why=FIT,
)
ROWS = {
    "recommended": QUICK,
    "slow": replace(QUICK, name="b", key_ms=420.0, is_recommended=False),
    "too slow": replace(QUICK, name="c", key_ms=4200.0, is_recommended=False),
    "too little memory": replace(QUICK, name="d", fits=False, is_recommended=False),
}
KEYS = Keys(
    number=51, measured_p95_ms=100.0, predicted_p95_ms=90.0, predicted_p95_ms_of_these=110.0
)
REPORT = Report(
    version="1.0",
    python="3.11",
    platform="Linux x86_64",
    cores=8,
    ok=True,
    model="default",
    engine="onnx",
    machine=MACHINE,
    keys=KEYS,
    catalogue=list(ROWS.values()),
)


@pytest.fixture
def printed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    def lines(report):
        print_report(report, prompt_tokens=512)
        return capsys.readouterr().out.splitlines()

    return lines


def test_each_model_has_a_verdict_and_the_recommended_one_its_command(printed):
    lines = printed(REPORT)

    for verdict, row in ROWS.items():
        (line,) = [line for line in lines if line.startswith(f"{row.name} ")]
        assert line.rstrip().endswith(verdict)
    assert "  fim-runtime models add qwen2.5-coder-0.5b" in [line.rstrip() for line in lines]
    assert max(map(len, lines)) <= 80


def test_prediction_and_measurement_stand_side_by_side(printed):
    text = " ".join(" ".join(printed(REPORT)).split())

    assert "95 of 100 suggestions within 100 ms (51 were timed)" in text
    assert "predicted for these keys: 110 ms, 1.10 times as long" in text
    assert "predicted for usual typing: 90 ms" in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"machine": replace(MACHINE, is_busy=True)}, "other programs are busy"),
        ({"machine": replace(MACHINE, threads=1)}, "1 thread of an engine: 60 GB/s, 1000 GFLOP/s"),
        ({"keys": Keys(number=0, measured_p95_ms=None)}, "no suggestion came"),
        ({"catalogue": [ROWS["too slow"]]}, "None of these models suits this machine"),
    ],
)
def test_what_is_out_of_the_ordinary_is_said(printed, change, told):
    assert told in " ".join(" ".join(printed(replace(REPORT, **change))).split())


def test_a_machine_of_which_nothing_is_known_is_printed(printed):
    lines = printed(Report(version="1.0", python="3.11", platform="Linux", cores=1))

    assert any("machine" in line for line in lines)


def test_a_model_is_recommended_at_most_once():
    assert QUICK == REPORT.recommended
