"""`fim-runtime models info`: what a model is, and whether its files are whole."""

import json
import shutil

import pytest

from model_runtime import catalogue
from model_runtime.cli import main
from model_runtime.manifest import signed


@pytest.fixture
def copy(tmp_path):
    """The embedded model, to be damaged."""
    return shutil.copytree(catalogue.default_folder(), tmp_path / "model")


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


def test_the_hubs_metadata_of_a_card_is_not_shown(copy, capsys):
    (copy / "MODEL_CARD.md").write_text("---\nlicense: mit\n---\n\nA card.\n")

    assert 0 == main(["models", "info", str(copy)])
    shown = capsys.readouterr().out
    assert "A card." in shown
    assert "license: mit" not in shown
