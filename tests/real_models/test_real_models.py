"""A real model of half a billion weights is added from its GGUF file and completes real code.

`make test-real-models` fetches the file and says where it lies in FIM_LSP_TEST_GGUF.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.format import HoleStart
from tests.support.wire import TIMEOUT_SECONDS, start_stdio, texts

pytestmark = pytest.mark.real_model

ROOT = Path(__file__).parents[2]
NAME = "qwen2.5-coder-0.5b"
LOADING_SECONDS = 15 * TIMEOUT_SECONDS
"""The first start measures the engines and writes the model's forms for them."""
IDS_SHA256 = "88e1e8fa53822e00504bba9e53071fc8408b95cf4db862015f5d1742941286d9"
"""Hash of the ids of the 40 files of the frozen set, each as a JSON list, in the order of paths."""
PLACES = {
    "the body of a function": (
        "def area(width: float, height: float) -> float:\n"
        '    """Area of a rectangle."""\n'
        "    return ^\n\n\nprint(area(2, 3))\n",
        "width * height",
    ),
    "a line that the code around calls for": (
        "import json\nfrom pathlib import Path\n\n\ndef load(path: Path) -> dict:\n"
        "    with path.open() as file:\n        ^\n\n\nprint(load(Path('a.json')))\n",
        "return json.load(file)",
    ),
    "the rest of a word": (
        "def area(width, height):\n    return width * hei^\n\n\nprint(area(2, 3))\n",
        "ght",
    ),
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment of programs that find their models and caches in a folder of this run."""
    home = tmp_path_factory.mktemp("home")
    folders = {f"XDG_{name}_HOME": str(home / name) for name in ("DATA", "CACHE", "STATE")}
    return {**os.environ, **folders}


@pytest.fixture(scope="module")
def model(environment) -> ModelBundle:
    """The model, added by the command that a user types."""
    gguf = os.environ["FIM_LSP_TEST_GGUF"]
    command = [sys.executable, "-m", "model_runtime", "models", "add", gguf, "--name", NAME]
    added = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert 0 == added.returncode, added.stderr
    return ModelBundle.open(Path(environment["XDG_DATA_HOME"]) / "fim-lsp" / "models" / NAME)


@pytest.fixture(scope="module")
def server(model, environment):
    """The server on pipes, with the model loaded."""
    process, wire = start_stdio(
        [sys.executable, "-m", "fim_lsp", "serve"], env=environment, cwd=ROOT
    )
    settings = {"model": NAME, "timeLimitMs": 0, "candidates": 1, "learnFromUse": False}
    try:
        wire.initialize(initializationOptions=settings)
        wire.receive(is_ready, LOADING_SECONDS)
        yield wire
        wire.shut_down()
        wire.close_input()
        process.wait(TIMEOUT_SECONDS)
    finally:
        process.kill()
        process.wait()
        wire.close()


def is_ready(message):
    return message.get("method") == "fimLsp/status" and message["params"]["state"] == "ready"


def test_the_model_writes_lines_from_their_start(model):
    """The measurement at `models add` chose it: typing then costs one or two ids a key."""
    assert HoleStart.LINE is model.manifest.prompt.hole_start


def test_its_format_is_known_by_its_tokens_and_proven(model):
    spelled = model.manifest.prompt.spelled(model.tokenizer.token_of)

    assert {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"} < set(spelled)


def test_its_tokenizer_gives_the_ids_of_the_authors_own(model):
    """The hash was taken with the vocabulary of another package and another tokenizer's code."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "benchmarks" / "replay_set").glob("o*/*.*")):
        found.update(json.dumps(model.tokenizer.encode(path.read_text("utf-8"))).encode())
    assert IDS_SHA256 == found.hexdigest()


def test_the_output_matrix_is_the_embedding_and_is_stored_once(model):
    assert model.manifest.decoder.tied
    assert model.manifest.weights.size < 500e6


def test_its_tokenizer_returns_every_text_as_it_was(model):
    for path in sorted((ROOT / "benchmarks" / "replay_set").rglob("*.*")):
        text = path.read_text("utf-8")
        assert text == model.tokenizer.decode(model.tokenizer.encode(text))


@pytest.mark.parametrize("place", PLACES)
def test_it_completes_what_a_programmer_would(server, place):
    text, expected = PLACES[place]
    before, after = text.split("^")
    uri = f"file:///project/{place.replace(' ', '_')}.py"
    server.open(before + after, uri=uri)

    found = server.complete(before.count("\n"), len(before.rpartition("\n")[2]), uri=uri, kind=1)

    (shown,) = texts(found)
    assert shown.strip().startswith(expected)
