"""`fim-runtime models info`: what a model is, and whether its files are whole."""

import json
import shutil
import subprocess
import sys

import pytest

from model_runtime.cli import main, parser
from model_runtime.engines import artifact_cache, open_engine
from model_runtime.files import size_of_folder
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.manifest import signed
from model_runtime.store import choice, installed
from tests.support.model_packages import install, wheels_in_parts
from tests.support.random_models import VARIANTS, make_bundle

SIZE = f"{size_of_folder(installed.default_folder()) / 1e6:.1f} MB"


@pytest.fixture
def copy(tmp_path):
    """The embedded model, to be damaged."""
    return shutil.copytree(installed.default_folder(), tmp_path / "model")


def test_a_whole_model_passes_every_check(capsys):
    assert 0 == main(["models", "info", "default", "--check"])
    lines = capsys.readouterr().out.splitlines()

    assert ["manifest", "tokenizer", "canary", "weights"] == [line.split()[1] for line in lines]
    assert all(line.startswith("ok") for line in lines)


def test_a_program_reads_the_checks(capsys):
    assert 0 == main(["models", "info", "default", "--check", "--json"])
    told = json.loads(capsys.readouterr().out)

    assert {"manifest", "tokenizer", "canary", "weights"} == told["checks"].keys()


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def forget_the_canary(path):
    manifest = json.loads(path.read_text())
    manifest["canary"]["ids"][0] += 1
    path.write_text(signed(manifest))


@pytest.mark.parametrize(
    ("file", "damage", "told"),
    [
        ("model.safetensors", flip_a_byte, "its SHA-256 is not the manifest's"),
        ("tokenizer.json", flip_a_byte, "its SHA-256 is not the manifest's"),
        ("manifest.json", forget_the_canary, "the canary differs"),
    ],
)
def test_damage_is_found_and_told(copy, capsys, file, damage, told):
    damage(copy / file)

    assert 1 == main(["models", "info", str(copy), "--check"])
    assert told in capsys.readouterr().err
    assert 1 == main(["models", "info", str(copy), "--check", "--json"])
    assert told in json.loads(capsys.readouterr().out)["problem"]


def test_what_a_model_is_fits_a_screen_and_its_card_is_shown_on_request(copy, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (copy / "MODEL_CARD.md").write_text("# Mine\n\nA small one.\n\n## Scores\n\nMany.\n")

    assert 0 == main(["models", "info", str(copy)])
    first = capsys.readouterr().out
    assert 0 == main(["models", "info", str(copy), "--card"])
    whole = capsys.readouterr().out

    assert first.count("\n") <= 24
    assert ("A small one." in first, "Many." in first) == (True, False)
    assert "python" in first
    assert "A small one." in whole and "Many." in whole


def test_the_hubs_metadata_of_a_card_is_not_shown(copy, capsys):
    (copy / "MODEL_CARD.md").write_text("---\nlicense: mit\n---\n\nA card.\n")

    assert 0 == main(["models", "info", str(copy)])
    shown = capsys.readouterr().out
    assert "A card." in shown
    assert "license: mit" not in shown


def own_machine(tmp_path, monkeypatch):
    """Keeps away what is installed here, and what engines have derived."""
    monkeypatch.setattr(installed, "models_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(artifact_cache, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setattr(choice, "user_data_path", lambda *_, **__: tmp_path / "data")
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "site")


def listed(capsys):
    assert 0 == main(["models", "list"])
    return capsys.readouterr().out


def test_a_list_fits_a_terminal_and_says_where_models_come_from(tmp_path, monkeypatch, capsys):
    own_machine(tmp_path, monkeypatch)
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(installed.default_folder(), tmp_path / "models" / "qwen2.5-coder-0.5b")
    bundle = ModelBundle.open(installed.default_folder())
    for wheel in wheels_in_parts(bundle, tmp_path / "wheels").files:
        install(wheel, tmp_path / "site")
    (heading, *rows), legend = (part.splitlines() for part in listed(capsys).split("disk: "))

    assert ["name", "from", "disk", "weights", "context", "hole", "license"] == heading.split()
    assert [
        f"* default built in {SIZE} 10.2 M 1,024 line Apache-2.0",
        f"qwen2.5-coder-0.5b added {SIZE} 10.2 M 1,024 line Apache-2.0",
        f"mine package {SIZE} 10.2 M 1,024 line Apache-2.0",
    ] == [" ".join(row.split()) for row in rows]
    assert all(len(line) <= 80 for line in (heading, *rows, *legend))


def test_the_chosen_model_is_marked_and_missed_when_it_is_gone(tmp_path, monkeypatch, capsys):
    own_machine(tmp_path, monkeypatch)
    shutil.copytree(installed.default_folder(), tmp_path / "models" / "mine")
    choice.choose_model("mine")
    marks = [line.split()[:2] for line in listed(capsys).splitlines()[1:3]]
    shutil.rmtree(tmp_path / "models" / "mine")

    assert [["default", "built"], ["*", "mine"]] == marks
    assert "the chosen model mine is not on this machine any more" in listed(capsys)


def test_what_cannot_be_used_is_told_below_the_table(tmp_path, monkeypatch, capsys):
    own_machine(tmp_path, monkeypatch)
    shutil.copytree(installed.default_folder(), tmp_path / "models" / "mine")
    (tmp_path / "models" / "mine" / "tokenizer.json").unlink()
    said = listed(capsys)

    assert "unusable" in said
    problem = (
        f"mine: {tmp_path / 'models' / 'mine' / 'tokenizer.json'} is missing; add the model again"
    )
    assert problem in said.splitlines()


def test_a_program_reads_the_list(tmp_path, monkeypatch, capsys):
    own_machine(tmp_path, monkeypatch)
    for wheel in wheels_in_parts(
        ModelBundle.open(installed.default_folder()), tmp_path / "w"
    ).files:
        install(wheel, tmp_path / "site")
    assert 0 == main(["models", "list", "--json"])
    default, mine = json.loads(capsys.readouterr().out)

    assert ("default", "built in", True) == (
        default["name"],
        default["origin"],
        default["is_chosen"],
    )
    assert ("mine", "package", False) == (mine["name"], mine["origin"], mine["is_chosen"])
    assert mine["bytes"] > mine["manifest"]["weights"]["size"]
    assert ["acme-mine", *(f"acme-mine-part{n}" for n in (1, 2, 3))] == mine["packages"]


def test_a_model_of_packages_is_removed_by_pip_and_what_engines_made_here(
    tmp_path, monkeypatch, capsys
):
    own_machine(tmp_path, monkeypatch)
    bundle = make_bundle(tmp_path, VARIANTS["rotary quarter"])
    for wheel in wheels_in_parts(bundle, tmp_path / "w").files:
        install(wheel, tmp_path / "site")
    open_engine(installed.find("mine"), engine="onnx", threads=1).close()
    (form,) = (tmp_path / "cache" / "derived").iterdir()

    assert 1 == main(["models", "remove", "mine"])
    assert not form.exists()
    assert "  pip uninstall acme-mine acme-mine-part1 acme-mine-part2 acme-mine-part3\n" in (
        capsys.readouterr().out
    )
    assert "mine" in listed(capsys)


def test_a_model_is_removed_by_its_name(tmp_path, monkeypatch, capsys):
    own_machine(tmp_path, monkeypatch)
    shutil.copytree(installed.default_folder(), tmp_path / "models" / "mine")

    assert 0 == main(["models", "remove", "mine"])
    said = capsys.readouterr().out
    assert f"mine is removed from {tmp_path / 'models' / 'mine'}; that frees {SIZE}" in said
    assert 1 == main(["models", "remove", "mine"])
    assert "no added model has the name 'mine'; there are: none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([], "fim-runtime evaluate infilling default --help"),
        (["models"], "models on this machine"),
        (["models", "add"], "--quantization QUANTIZATION"),
        (["models", "export"], "--type TYPE"),
        (["models", "remove"], "NAME"),
        (["models", "wheel"], "pip install --find-links wheels fim-lsp-model-qwen"),
        (["train"], "torchrun --nproc-per-node"),
        (["evaluate"], "ablation"),
        (["evaluate", "infilling"], "--samples N"),
        (["evaluate", "ablation"], "--seeds N"),
    ],
)
def test_every_command_teaches_itself_and_loads_nothing_heavy_for_that(command, said):
    code = (
        "import sys\nfrom model_runtime.cli import main\n"
        "try:\n    main([*sys.argv[1:], '--help'])\n"
        "except SystemExit:\n    print('loaded', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True
    )
    text, _, loaded = done.stdout.rpartition("loaded ")

    assert said in text
    heavy = {"numpy", "torch", "tokenizers", "rich", "datatrove", "packaging"}
    assert set() == heavy & set(loaded.split())


@pytest.mark.parametrize(
    "arguments",
    ["a.toml b.toml --seeds 3", "--seeds 3 a.toml b.toml", "a.toml --seeds 3 b.toml"],
)
def test_arguments_of_a_command_may_stand_anywhere_between_its_options(arguments):
    args = parser().parse_args(["evaluate", "ablation", *arguments.split()])

    assert (["a.toml", "b.toml"], 3) == (args.recipes, args.seeds)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [([], "fim-runtime models add ./my-model"), (["models"], "available")],
    ids=["fim-runtime", "models"],
)
def test_a_command_that_needs_another_one_shows_its_help(capsys, arguments, told):
    assert main(arguments) == 0
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["models", "info"], "required: NAME"),
        (["models", "info", "a", "b"], "'b' is one argument too many"),
        (["models", "export", "default"], "required: --gguf"),
        (["models", "nonsense"], "there is no command 'nonsense'"),
        (["models", "wheel", "default"], "required: --out"),
        (["models", "wheel", "default", "--out", "x", "--part-size", "0"], "from 1 to 2000"),
        (["models", "wheel", "default", "--out", "x", "--part-size", "a"], "from 1 to 2000"),
    ],
)
def test_wrong_usage_is_told_in_one_line_with_where_to_read_on(capsys, arguments, said):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert 2 == exit_.value.code
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("fim-runtime models")
    assert error.endswith("--help)\n")
    assert 1 == error.count("\n")
