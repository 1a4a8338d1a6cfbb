"""Model folders made to do harm: each is refused in one sentence, with little memory and in no time.

Each case runs the real command in a process that may take 2 GiB of addresses and not more.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model_runtime.models.manifest import signed
from model_runtime.models.weights import TensorLayout, write_weights
from tests.support.random_models import VARIANTS, make_bundle, make_source

ROOT = Path(__file__).parents[2]
TINY = VARIANTS["rotary quarter"]
LIMIT_BYTES = 2 * 2**30
SECONDS = 60
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`source`, a Hugging Face folder, and `bundle`; copied for each case."""
    folder = tmp_path_factory.mktemp("originals")
    make_bundle(folder, TINY)
    return folder


@pytest.fixture
def source(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / "source", tmp_path / "source"))


@pytest.fixture
def bundle(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / "bundle", tmp_path / "bundle"))


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`fim-runtime` with folders of its own and bounded memory."""
    code = "import sys; from model_runtime.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES)),
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "OPENBLAS_NUM_THREADS": "1",
            "COLUMNS": "200",
        },
    )


STEPS = ("reading", "writing", "checking", "rewriting")
"""First words of what adding a model says while it works."""


def refused(tmp_path: Path, folder: Path, told: str) -> None:
    done = run(tmp_path, "models", "add", str(folder), "--name", "hostile")

    assert 1 == done.returncode, done.stderr
    *steps, sentence = done.stderr.splitlines()
    assert sentence.startswith("fim-runtime: "), done.stderr
    assert told in sentence
    assert all(step.split()[0] in STEPS for step in steps), done.stderr
    assert len(done.stderr) < 2000
    models = tmp_path / "data" / "fim-lsp" / "models"
    assert not models.exists() or [] == list(models.iterdir())


def edited(name, **changes):
    def edit(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


def holding(name, text):
    return lambda folder: (folder / name).write_text(text)


def replaced(name, put):
    def replace(folder: Path) -> None:
        (folder / name).unlink()
        put(folder / name)

    return replace


def sparse(size):
    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return write


def secret(path: Path) -> None:
    """A link to a file that the maker of the folder cannot read, and the user can."""
    outside = path.parent.parent / "private"
    outside.write_text("private")
    path.symlink_to(outside)


def with_int8_and_no_scale(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    name = "gpt_neox.layers.0.attention.dense.weight"
    tensors[name] = np.ones(tensors[name].shape, np.int8)
    save_file(tensors, folder / "model.safetensors")


def with_a_huge_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes((2**62).to_bytes(8, "little") + path.read_bytes()[8:])


def edited_tokens(**changes):
    def edit(folder: Path) -> None:
        path = folder / "fim_config.json"
        raw = json.loads(path.read_text())
        path.write_text(json.dumps(raw | {"tokens": raw["tokens"] | changes}))

    return edit


SOURCES = {
    "layers": (edited("config.json", num_hidden_layers=10**9), "layers must be at least 1"),
    "hidden": (edited("config.json", hidden_size=10**4000), "an impossible value"),
    "vocabulary": (edited("config.json", vocab_size=10**12), "vocab must be at least 1"),
    "infinite fraction": (
        edited("config.json", rotary_pct=float("inf"), rope_parameters=None),
        "a setting has an impossible value",
    ),
    "huge fraction": (
        edited("config.json", rotary_pct=1e308, rope_parameters=None),
        "an impossible value",
    ),
    "huge base": (
        edited("config.json", rotary_emb_base=10**4000, rope_parameters=None),
        "a setting has an impossible value",
    ),
    "positions": (edited("config.json", max_position_embeddings=10**30), "at most 1048576"),
    "long activation": (edited("config.json", hidden_act="x" * 10**6), "activation 'xxx"),
    "deep config": (holding("config.json", DEEP), "nested too deep"),
    "deep, within Python's limit": (
        edited("fim_config.json", training=json.loads("[" * 300 + "]" * 300)),
        "nested too deep",
    ),
    "half a character": (
        holding("fim_config.json", '{"format_version": 1, "license": "\\ud800"}'),
        "half a character",
    ),
    "device": (replaced("config.json", lambda path: path.symlink_to("/dev/zero")), "is a link"),
    "pipe": (replaced("config.json", os.mkfifo), "no regular file"),
    "pipe for weights": (replaced("model.safetensors", os.mkfifo), "no regular file"),
    "folder for a card": (lambda folder: (folder / "README.md").mkdir(), "no regular file"),
    "sparse config": (replaced("config.json", sparse(2**30)), "1,073,741,824 bytes"),
    "sparse settings": (replaced("fim_config.json", sparse(2**30)), "1,073,741,824 bytes"),
    "sparse tokenizer": (replaced("tokenizer.json", sparse(2**30)), "1,073,741,824 bytes"),
    "linked card": (lambda folder: secret(folder / "README.md"), "is a link"),
    "linked weights": (replaced("model.safetensors", secret), "is a link"),
    "linked tokenizer": (replaced("tokenizer.json", secret), "is a link"),
    "no scale": (with_int8_and_no_scale, "is int8 and has no float32 scale"),
    "huge header": (with_a_huge_header, "its header has"),
    "languages a number": (edited("fim_config.json", languages=5), "languages must be a list"),
    "languages null": (edited("fim_config.json", languages=None), "languages must be a list"),
    "training text": (edited("fim_config.json", training="x"), "training must be a JSON object"),
    "licence a list": (edited("fim_config.json", license=["x"]), "license must be text"),
    "context": (edited("fim_config.json", context=10**30), "a context of 1000"),
    "context below zero": (edited("fim_config.json", context=-5), "a context of -5"),
    "token below zero": (edited_tokens(middle=-1), "sentinel id -1"),
    "huge token": (edited_tokens(middle=10**30), "sentinel id 1000"),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_hugging_face_folder_that_would_do_harm_is_refused(source, tmp_path, case):
    harm, told = SOURCES[case]
    harm(source)
    refused(tmp_path, source, told)


def remade(**changes):
    """A manifest whose maker has signed what he changed."""

    def edit(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(signed(json.loads(path.read_text()) | changes))

    return edit


def decoder(**changes):
    def edit(folder: Path) -> None:
        raw = json.loads((folder / "manifest.json").read_text())
        remade(decoder=raw["decoder"] | changes)(folder)

    return edit


def with_weights_of_no_float(folder: Path) -> None:
    """Every size and hash is as stated."""
    path = folder / "model.safetensors"
    from model_runtime.models.weights import WeightsFile

    layout = WeightsFile(path).layout
    arrays = {name: np.zeros(one.shape, np.int8) for name, one in layout.items()}
    as_int8 = {name: TensorLayout("I8", one.shape) for name, one in layout.items()}
    written = write_weights(path, as_int8, arrays.items())
    remade(weights={"sha256": written.sha256, "size": written.size, "dtype": "int8"})(folder)


BUNDLES = {
    "layers": (decoder(layers=10**9), "layers must be at least 1"),
    "huge base": (
        decoder(positions={"kind": "rope", "dim": 4, "base": 10**4000, "scaling": None}),
        "decoder.positions.base must be a number",
    ),
    "windows": (decoder(windows=[1] * 10**5), "windows has 100000 entries for 2 layers"),
    "head": (decoder(head_dim=2**40), "head_dim must be at least 1 and at most 4096"),
    "context": (remade(context_length=10**30), "must be at least 8 and at most 1048576"),
    "deep": (holding("manifest.json", DEEP), "nested too deep"),
    "sparse manifest": (replaced("manifest.json", sparse(2**30)), "1,073,741,824 bytes"),
    "name with controls": (remade(name="\x1b[2J"), "cannot be printed"),
    "linked manifest": (replaced("manifest.json", secret), "is a link"),
    "linked weights": (replaced("model.safetensors", secret), "is a link"),
    "linked licence": (lambda folder: secret(folder / "LICENSE"), "is a link"),
    "pipe": (replaced("model.safetensors", os.mkfifo), "no regular file"),
}


@pytest.mark.parametrize("case", BUNDLES)
def test_a_bundle_that_would_do_harm_is_refused(bundle, tmp_path, case):
    harm, told = BUNDLES[case]
    harm(bundle)
    refused(tmp_path, bundle, told)


def test_int8_without_scales_is_refused_when_a_bundle_is_checked(bundle, tmp_path):
    with_weights_of_no_float(bundle)
    done = run(tmp_path, "models", "info", str(bundle), "--check")

    assert 1 == done.returncode
    assert ".scale has the shape None" in done.stderr


@pytest.mark.parametrize("case", ["layers", "huge base", "context", "deep", "sparse manifest"])
def test_a_harmful_manifest_is_one_line_of_the_list(bundle, tmp_path, case):
    BUNDLES[case][0](bundle)
    shutil.copytree(bundle, tmp_path / "data" / "fim-lsp" / "models" / "hostile")
    done = run(tmp_path, "models", "list")

    assert 0 == done.returncode, done.stderr
    assert "default" in done.stdout
    assert "hostile" in done.stdout
    assert "unusable" in done.stdout


def test_only_the_files_of_a_bundle_are_copied(bundle, tmp_path):
    """Two links to the folder that they lie in were an endless copy, and one to another folder its theft."""
    private = tmp_path / "private"
    private.mkdir()
    (private / "key").write_text("private")
    for name, target in (("a", "."), ("b", "."), ("keys", private)):
        (bundle / name).symlink_to(target)
    (bundle / "program.py").write_text("")
    (bundle / "MODEL_CARD.md").write_text("# Card\n")
    done = run(tmp_path, "models", "add", str(bundle), "--name", "mine")

    assert 0 == done.returncode, done.stderr
    copied = {path.name for path in (tmp_path / "data" / "fim-lsp" / "models" / "mine").iterdir()}
    assert {"manifest.json", "model.safetensors", "tokenizer.json", "MODEL_CARD.md"} == copied


# --- the cache of the hub ---------------------------------------------------------------------


@pytest.fixture
def snapshot(source, tmp_path) -> Path:
    """The model as huggingface_hub keeps it: links into the blobs of its own repository."""
    repository = tmp_path / "hub" / "models--org--name"
    blobs, snapshot = repository / "blobs", repository / "snapshots" / ("c0ffee" * 6 + "beef")
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(source.iterdir())):
        path.rename(blobs / f"{number:040x}")
        (snapshot / path.name).symlink_to(Path("..", "..", "blobs", f"{number:040x}"))
    return snapshot


def test_a_snapshot_in_the_cache_of_the_hub_is_added(snapshot, tmp_path):
    done = run(tmp_path, "models", "add", str(snapshot), "--name", "mine")

    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize(
    "target",
    [
        "../../../models--org--other/blobs/1",
        "../../blobs/leads_on",
        "../../refs/main",
        "/etc/hostname",
        "README.md",
    ],
)
def test_links_of_a_snapshot_that_leave_its_blobs_are_not_followed(snapshot, tmp_path, target):
    other = tmp_path / "hub" / "models--org--other" / "blobs"
    other.mkdir(parents=True)
    (other / "1").write_text("of another model")
    (snapshot.parents[1] / "blobs" / "leads_on").symlink_to(other / "1")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("c0ffee")
    (snapshot / "README.md").symlink_to(target)
    refused(tmp_path, snapshot, "is a link")


# --- what the terminal shows ------------------------------------------------------------------

TEXTS = ["[/x]", "[/]", "[bold", "\x1b[2J\x1b]0;title\x07", "\x9b2J", "\u202etxt.exe", "a\rb"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("command", [["list"], ["info", "hostile"], ["info", "hostile", "--json"]])
def test_texts_of_a_model_neither_break_nor_steer_the_terminal(bundle, tmp_path, text, command):
    remade(license=text, languages=[text], training={text: text})(bundle)
    (bundle / "MODEL_CARD.md").write_text(f"# {text}\n\n[docs]({text})\n")
    shutil.copytree(bundle, tmp_path / "data" / "fim-lsp" / "models" / "hostile")
    done = run(tmp_path, "models", *command)

    assert 0 == done.returncode, done.stderr
    assert not {"\x1b", "\x9b", "\x07", "\u202e", "\r"} & set(done.stdout + done.stderr)
    if text.startswith("["):
        assert text in done.stdout


@pytest.mark.parametrize("text", ["[b]x", "\x1b[2Jx"])
def test_the_name_of_a_folder_neither_breaks_nor_steers_the_terminal(source, tmp_path, text):
    folder = source.rename(tmp_path / text)
    done = run(tmp_path, "models", "add", str(folder), "--name", "mine")
    assert 0 == done.returncode, done.stderr
    (folder / "config.json").unlink()
    again = run(tmp_path, "models", "add", str(folder), "--name", "mine")

    assert 1 == again.returncode
    assert "config.json is missing" in again.stderr
    assert "\x1b" not in done.stderr + again.stderr


def test_a_path_of_markup_is_told_as_it_is(source, tmp_path):
    """`[/b]x` as a path: a folder `[` with a folder `b]x` in it."""
    folder = tmp_path / "[" / "b]x"
    folder.parent.mkdir()
    source.rename(folder)
    done = run(tmp_path, "models", "add", str(folder), "--name", "mine")

    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize("command", ["list", "add"])
def test_an_unusable_model_whose_problem_quotes_markup_is_told(bundle, tmp_path, command):
    remade(prompt="[/x]")(bundle)
    shutil.copytree(bundle, tmp_path / "data" / "fim-lsp" / "models" / "hostile")
    done = run(tmp_path, "models", command, *([str(bundle)] if command == "add" else []))

    assert "[/x]" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_make_source_is_what_these_cases_spoil(tmp_path):
    """The folder is added as it is, so each refusal above is due to its harm."""
    source = make_source(tmp_path / "source", TINY)

    assert 0 == run(tmp_path, "models", "add", str(source)).returncode
