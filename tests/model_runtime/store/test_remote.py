"""Models are added from a hub on this machine, over real HTTP."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from model_runtime.errors import ConversionError
from model_runtime.progress import told_to
from model_runtime.store import installed
from model_runtime.store.adding import AddOptions, add_model
from model_runtime.store.converting import origin_of
from tests.support.fake_hub import COMMIT, FakeHub, serving_all
from tests.support.random_models import VARIANTS, make_source
from tests.support.small_gguf import write_small_gguf

ROOT = Path(__file__).parents[3]
FILE = "small-q8_0.gguf"


def left_overs(machine):
    """Names of the files that downloads have left."""
    paths = (machine / "cache" / "fim-lsp" / "hub").rglob("*")
    return [path.name for path in paths if path.is_file() and path.suffix != ".lock"]


def added():
    """Names of what lies in the folder of models."""
    folder = installed.models_folder()
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def fetched(server):
    """Names of the files that were asked for."""
    return [line.rpartition("/")[2] for line in server.requests if "/resolve/" in line]


# --- a row of the catalogue -------------------------------------------------------------------


def test_a_model_of_the_catalogue_is_added_and_needs_the_hub_no_more(server, row, machine):
    row()
    said = []

    report = add_model("small", progress=said.append)

    assert ("small", True) == (report.name, report.is_new)
    assert "MIT" == installed.find("small").manifest.license
    assert any("the license of small is MIT: https://example.org/license" in line for line in said)
    assert [FILE] == fetched(server)
    assert [] == left_overs(machine)
    server.down = True
    installed.find("small").verify_weights()


TABLE = {
    "points": [
        {"eagerness": 0.0, "probability": 0.9, "acceptance": 0.7},
        {"eagerness": 1.0, "probability": 0.1, "acceptance": 0.1},
    ],
    "measured": "ten files",
}


@pytest.fixture
def form(server, row):
    """The form of prompts that suits the model of these tests best; with random weights, any."""
    row()
    add_model("small", AddOptions(name="first"))
    return installed.find("first").manifest.prompt.form_name


@pytest.mark.parametrize(
    ("quantization", "is_other_form", "is_measured"),
    [("int8", False, True), ("float32", False, False), ("int8", True, False)],
    ids=["the same", "other numbers", "another form of the prompt"],
)
def test_the_measured_table_comes_with_the_form_that_it_was_measured_with(
    row, form, quantization, is_other_form, is_measured
):
    row(calibration=TABLE, calibrated_form="another" if is_other_form else form)
    add_model("small", AddOptions(quantization=quantization))

    calibration = installed.find("small").manifest.calibration
    assert ("ten files" if is_measured else None) == (calibration and calibration.measured)


def test_a_file_of_the_catalogue_is_known_whatever_its_name(row, form, gguf, machine):
    row(calibration=TABLE, calibrated_form=form, license="MIT")
    mine = shutil.copy(gguf, machine / "downloaded.gguf")
    add_model(mine)

    manifest = installed.find("downloaded").manifest
    assert ("MIT", "ten files") == (manifest.license, manifest.calibration.measured)
    assert "org/small-GGUF" == manifest.training["origin"]["repository"]


def test_the_origin_is_noted_in_the_manifest(server, row, gguf):
    row()
    add_model("small")

    assert {
        "repository": "org/small-GGUF",
        "revision": COMMIT,
        "file": FILE,
        "sha256": hashlib.sha256(gguf.read_bytes()).hexdigest(),
        "quantization": "int8",
    } == origin_of(installed.find("small"))


def test_a_row_without_a_revision_takes_the_newest_and_notes_it(server, row):
    row(revision="", sha256="")
    server.commit = "ab" * 20

    add_model("small")

    assert "ab" * 20 == origin_of(installed.find("small"))["revision"]


def test_the_share_of_the_download_is_told(server, row):
    row()
    shares = []

    with told_to(lambda what, share: shares.append(share) if "fetching" in what else None):
        add_model("small")

    assert shares == sorted(shares)
    assert 0 == shares[0] and 1 == shares[-1] and len(shares) > 3


def test_adding_again_does_nothing_where_the_revision_is_there(server, row):
    row()
    add_model("small")
    before = len(server.requests)

    report = add_model("small")

    assert not report.is_new
    assert "is installed already" in report.notes[0]
    assert before == len(server.requests)


@pytest.mark.parametrize(
    "options", [AddOptions(force=True), AddOptions(quantization="float32")], ids=str
)
def test_adding_again_in_another_form_adds_it_anew(server, row, options):
    row()
    add_model("small")

    assert add_model("small", options).is_new
    assert options.quantization == installed.find("small").manifest.weights.dtype


def test_a_new_revision_is_an_update(server, row, gguf):
    row(revision="", sha256="")
    add_model("small")
    assert not add_model("small").is_new
    server.commit = "ab" * 20
    write_small_gguf(server.repositories["org/small-GGUF"] / FILE, seed=1)

    report = add_model("small")

    assert report.is_new
    assert "ab" * 20 == origin_of(installed.find("small"))["revision"]


def test_an_unknown_name_has_near_ones_suggested(server, row):
    row()

    with pytest.raises(ConversionError, match="no model is named 'smal'; did you mean small"):
        add_model("smal")
    assert [] == server.requests


# --- what is asked before anything is fetched ---------------------------------------------------


def test_a_license_that_is_not_permissive_is_asked_for(server, row):
    row(is_permissive=False, license="Research")
    asked = []

    with pytest.raises(
        ConversionError, match=r"license Research, .* run the same command again with --yes"
    ):
        add_model("small", ask=lambda question: asked.append(question) or False)

    (question,) = asked
    assert "small has the license Research: https://example.org/license" in question
    assert [] == server.requests
    assert [] == added()


def test_nobody_to_ask_is_no_consent(server, row):
    row(is_permissive=False)

    with pytest.raises(ConversionError, match="was not accepted"):
        add_model("small")


@pytest.mark.parametrize("how", ["asked", "beforehand"])
def test_an_accepted_license_lets_it_be_fetched(server, row, how):
    row(is_permissive=False)

    if how == "asked":
        add_model("small", ask=lambda _: True)
    else:
        add_model("small", AddOptions(accept_license=True))

    assert "small" == installed.find("small").manifest.name


def test_the_license_of_any_other_repository_is_the_cards(server):
    server.license = "llama2"

    with pytest.raises(ConversionError, match="org/small-GGUF has the license llama2"):
        add_model("org/small-GGUF")
    assert [] == fetched(server)


def test_a_model_too_large_for_the_memory_is_refused_before_it_is_fetched(server, row):
    row(parameters=10**14)

    with pytest.raises(ConversionError, match=r"needs about .* GB of memory .* with --force"):
        add_model("small")
    assert [] == server.requests


def test_a_disk_without_room_is_noticed_before_it_is_fetched(server, row):
    row(parameters=10**14)

    with pytest.raises(ConversionError, match=r"needs room for .* MB and its disk has"):
        add_model("small", AddOptions(force=True))
    assert [] == fetched(server)


# --- what breaks off --------------------------------------------------------------------------


def test_a_cut_connection_is_resumed(server, row):
    row()
    server.cut_at = 0.6

    add_model("small")

    first, second = server.ranges
    assert 0 == first < second


def test_a_hub_that_vanishes_leaves_the_older_model_and_the_part(server, row, gguf, machine):
    row(revision="", sha256="")
    add_model("small")
    old = installed.find("small").manifest
    server.commit = "ab" * 20
    write_small_gguf(server.repositories["org/small-GGUF"] / FILE, seed=1)
    server.cut_at, server.is_gone_after_cut = 0.6, True

    with pytest.raises(ConversionError, match="run the same command again, which goes on"):
        add_model("small")

    assert old == installed.find("small").manifest
    (part,) = left_overs(machine)
    assert part.endswith(".part")

    server.down, server.ranges = False, []
    assert add_model("small").is_new
    (resumed_at,) = server.ranges
    assert resumed_at > 0.5 * gguf.stat().st_size
    assert [] == left_overs(machine)


def test_a_process_that_is_killed_leaves_nothing_but_the_part(server, row, machine):
    row()
    server.slow = 200_000
    command = [
        sys.executable,
        "-m",
        "model_runtime",
        "models",
        "add",
        "small",
        "--progress",
        "json",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            told = json.loads(line)
            if (told.get("share") or 0) > 0.3:
                process.terminate()
                break
        assert -signal.SIGTERM == process.wait(30)

    assert [] == added()
    (part,) = left_overs(machine)
    assert part.endswith(".part")
    server.slow, server.ranges = None, []
    add_model("small")
    (resumed_at,) = server.ranges
    assert resumed_at > 0


def test_wrong_bytes_are_refused_and_fetched_anew(server, row, machine):
    row()
    server.wrong_bytes = True

    with pytest.raises(ConversionError, match="was damaged on its way and is removed; run"):
        add_model("small")
    assert [] == left_overs(machine)
    assert [] == added()

    server.wrong_bytes = False
    assert add_model("small").is_new


def test_a_hub_with_another_file_than_the_catalogue_says_is_refused(server, row):
    row(sha256="12" * 32)

    with pytest.raises(ConversionError, match="the catalogue says 121212121212"):
        add_model("small")
    assert [] == fetched(server)


def test_a_full_disk_is_one_sentence_and_the_rest_is_fetched_later(server, row, machine):
    """A limit on the size of a file stands for the disk: the system answers alike."""
    row()
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "from model_runtime.cli import main\n"
        "sys.exit(main(['models', 'add', 'small']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )

    assert 1 == done.returncode
    assert "cannot be written (File too large); make room for" in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == added()
    add_model("small")
    assert 200_000 == server.ranges[-1]


def test_a_model_that_cannot_be_converted_keeps_its_download(server, row, machine):
    (server.repositories["org/small-GGUF"] / FILE).write_bytes(b"GGUF" + bytes(1000))
    row(sha256="", revision="", download_bytes=1004)

    for _ in range(2):
        with pytest.raises(Exception, match="cut off or damaged"):
            add_model("small")

    assert [FILE] == left_overs(machine)
    assert [FILE] == fetched(server)


# --- other repositories -------------------------------------------------------------------------


def test_of_several_files_the_one_with_four_bits_is_taken(server, gguf):
    folder = server.repositories["org/small-GGUF"]
    for name in ("small-q2_k.gguf", "small-Q4_K_M.gguf", "mmproj-q4_k_m.gguf", "small-f16.gguf"):
        shutil.copy(gguf, folder / name)

    report = add_model("org/small-GGUF")

    assert "small-GGUF" == report.name
    assert ["small-Q4_K_M.gguf"] == fetched(server)


def test_one_file_of_a_repository_can_be_named(server):
    report = add_model(f"org/small-GGUF/{FILE}@{COMMIT}")

    assert "small-q8_0" == report.name


def test_a_file_that_is_not_there_is_refused_with_those_that_are(server):
    with pytest.raises(ConversionError, match=f"has no file other.gguf; it has {FILE}"):
        add_model("org/small-GGUF/other.gguf")


def test_an_unknown_revision_is_named(server):
    with pytest.raises(ConversionError, match="has no such revision"):
        add_model("org/small-GGUF@no-such-branch")


def test_an_unknown_repository_is_named(server):
    with pytest.raises(ConversionError, match="no model org/other"):
        add_model("org/other")


def test_a_gated_repository_says_what_to_do(server, row):
    row()
    server.gated = True

    with pytest.raises(ConversionError, match=r"wants its terms accepted first; .* hf auth login"):
        add_model("small")


def test_without_a_network_the_message_says_what_to_do(machine, row, monkeypatch):
    row()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(ConversionError, match="connect to the network"):
        add_model("small")


# --- folders of transformers --------------------------------------------------------------------


@pytest.fixture
def folder(machine, monkeypatch):
    """A hub with the repository org/name, a folder of transformers."""
    source = make_source(machine / "source", VARIANTS["rotary quarter"])
    (source / "README.md").write_text("# Card\n")
    (source / "modeling.py").write_text("raise SystemExit\n")
    (source / "pytorch_model.bin").write_bytes(b"a pickle")
    (source / "onnx").mkdir()
    (source / "onnx" / "config.json").write_text("{}")
    with serving_all(FakeHub({"org/name": source})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def test_data_is_fetched_and_nothing_else(folder, machine):
    report = add_model("org/name")

    assert {
        "config.json",
        "fim_config.json",
        "tokenizer.json",
        "model.safetensors",
        "README.md",
    } == set(fetched(folder))
    assert "name" == report.name
    assert [] == left_overs(machine)
    assert "" == origin_of(installed.find("name"))["file"]


def test_files_that_came_are_not_fetched_twice(folder, machine):
    folder.cut_at, folder.is_gone_after_cut = 0.5, True
    with pytest.raises(ConversionError, match="goes on where this one ended"):
        add_model("org/name")
    before = len(fetched(folder))
    folder.down = False

    add_model("org/name")

    assert ["model.safetensors"] == fetched(folder)[before:]


def test_pickles_are_fetched_only_where_there_is_nothing_better(folder):
    (folder.repositories["org/name"] / "model.safetensors").unlink()

    with pytest.raises(ConversionError):  # the pickle is none
        add_model("org/name")
    assert "pytorch_model.bin" in fetched(folder)


def test_a_small_file_with_other_bytes_is_refused(folder):
    path = folder.repositories["org/name"] / "config.json"
    add_model("org/name")
    size = path.stat().st_size
    stat = path.stat()
    path.write_bytes(b" " * size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the hub believes the old hash
    folder.commit = "ab" * 20

    with pytest.raises(ConversionError, match=r"config\.json was damaged on its way"):
        add_model("org/name")


def test_the_hub_learns_no_more_than_what_is_fetched(folder, machine):
    """A process of its own is needed: the hub's library reads its switches when it is imported."""
    command = [
        sys.executable,
        "-c",
        "import huggingface_hub.constants\nfrom model_runtime.cli import main\nmain(['models', 'add', 'org/name'])",
    ]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)

    assert "name" == installed.find("name").manifest.name
    asked = {line.split()[1].partition("?")[0] for line in folder.requests}
    assert all("org/name" in path for path in asked), asked
    assert all("torch/" not in agent and "agent/" not in agent for agent in folder.agents)
    assert not (machine / "hf" / ".agent_harnesses.json").exists()
