"""Files that other programs have fetched are found, and used if the user agrees."""

import hashlib
import json
import shutil

import pytest

from model_runtime.store import installed
from model_runtime.store.adding import AddOptions, add_model
from model_runtime.store.converting import origin_of
from model_runtime.store.local_caches import Wanted, find_copy
from tests.support.fake_hub import COMMIT

FILE = "small-q8_0.gguf"
YES = AddOptions(accept_license=True)


def hub_cache(home, digest, monkeypatch):
    blob = home / ".cache" / "huggingface" / "hub" / "models--org--small-GGUF" / "blobs" / digest
    snapshot = blob.parents[1] / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / FILE).symlink_to(blob)
    return blob


def hub_home(home, digest, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(home / "other"))
    return home / "other" / "hub" / "models--somebody--else" / "blobs" / digest


def llama_cpp(home, digest, monkeypatch):
    return home / ".cache" / "llama.cpp" / f"org_small-GGUF_{FILE}"


def llama_cache(home, digest, monkeypatch):
    monkeypatch.setenv("LLAMA_CACHE", str(home / "llama"))
    return home / "llama" / f"org_small-GGUF_{FILE}"


def lm_studio(home, digest, monkeypatch):
    return home / ".lmstudio" / "models" / "org" / "small-GGUF" / FILE


def old_lm_studio(home, digest, monkeypatch):
    return home / ".cache" / "lm-studio" / "models" / "org" / "small-GGUF" / FILE


def ollama(home, digest, monkeypatch):
    manifest = home / ".ollama" / "models" / "manifests" / "hf.co" / "org" / "small-GGUF" / "Q8_0"
    manifest.parent.mkdir(parents=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:" + "0" * 64},
        {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}"},
    ]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return home / ".ollama" / "models" / "blobs" / f"sha256-{digest}"


PROGRAMS = {
    hub_cache: "the Hugging Face cache",
    hub_home: "the Hugging Face cache",
    llama_cpp: "llama.cpp's cache",
    llama_cache: "llama.cpp's cache",
    lm_studio: "LM Studio's models",
    old_lm_studio: "LM Studio's models",
    ollama: "Ollama's models",
}


@pytest.fixture
def home(machine, monkeypatch):
    """The user's home with the usual folders, as none of the variables is set."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HF_HOME")
    return machine / "home"


@pytest.fixture
def digest(gguf):
    return hashlib.sha256(gguf.read_bytes()).hexdigest()


def put(place, home, digest, monkeypatch, gguf):
    path = place(home, digest, monkeypatch)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(gguf, path)
    return path


@pytest.mark.parametrize("place", PROGRAMS, ids=lambda place: place.__name__)
def test_a_file_is_found_by_its_hash(place, home, digest, monkeypatch, gguf):
    put(place, home, digest, monkeypatch, gguf)

    found = find_copy(Wanted("org/small-GGUF", FILE, gguf.stat().st_size, digest))

    assert (PROGRAMS[place], digest) == (found.program, found.sha256)
    assert gguf.read_bytes() == found.path.read_bytes()


@pytest.mark.parametrize(
    "place",
    [hub_cache, llama_cpp, lm_studio, ollama],
    ids=lambda place: place.__name__,
)
def test_a_file_without_a_known_hash_is_found_by_name_and_size(
    place, home, digest, monkeypatch, gguf
):
    put(place, home, digest, monkeypatch, gguf)
    size = gguf.stat().st_size

    assert PROGRAMS[place] == find_copy(Wanted("org/small-GGUF", FILE, int(size * 1.02))).program
    assert find_copy(Wanted("org/small-GGUF", FILE, size * 2)) is None
    assert find_copy(Wanted("org/other-GGUF", "other.gguf", size)) is None


@pytest.mark.parametrize("place", PROGRAMS, ids=lambda place: place.__name__)
def test_a_damaged_copy_is_passed_over(place, home, digest, monkeypatch, gguf):
    path = put(place, home, digest, monkeypatch, gguf)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    assert find_copy(Wanted("org/small-GGUF", FILE, gguf.stat().st_size, digest)) is None


@pytest.mark.parametrize("manifest", ["no JSON", "[]", '{"layers": [{"digest": "../../x"}]}'])
def test_a_strange_manifest_of_ollama_is_passed_over(manifest, home, digest, monkeypatch, gguf):
    put(ollama, home, digest, monkeypatch, gguf)
    for path in (home / ".ollama" / "models" / "manifests").rglob("Q8_0"):
        path.write_text(manifest)

    assert find_copy(Wanted("org/small-GGUF", FILE, gguf.stat().st_size)) is None


@pytest.mark.parametrize("place", PROGRAMS, ids=lambda place: place.__name__)
def test_a_copy_is_used_in_place_of_a_download(place, server, row, home, digest, monkeypatch, gguf):
    row()
    path = put(place, home, digest, monkeypatch, gguf)
    said = []

    assert add_model("small", YES, progress=said.append).is_new

    assert [] == server.requests
    assert any(PROGRAMS[place] in line for line in said)
    assert path.is_file()
    assert digest == origin_of(installed.find("small"))["sha256"]


def test_the_user_is_asked_first(server, row, home, digest, monkeypatch, gguf):
    row()
    put(lm_studio, home, digest, monkeypatch, gguf)
    asked = []

    add_model("small", ask=lambda question: asked.append(question) or False)

    assert "small lies in LM Studio's models already." in asked[0]
    assert [FILE] == [line.rpartition("/")[2] for line in server.requests if "resolve" in line]


def test_a_copy_is_used_where_the_hub_cannot_be_reached(
    server, row, home, digest, monkeypatch, gguf
):
    row(sha256="", revision="")
    put(ollama, home, digest, monkeypatch, gguf)
    server.down = True

    assert add_model("small", YES).is_new
    assert digest == origin_of(installed.find("small"))["sha256"]


def test_a_file_of_any_repository_is_found_by_the_hash_that_the_hub_states(
    server, home, digest, monkeypatch, gguf
):
    put(lm_studio, home, digest, monkeypatch, gguf)

    add_model("org/small-GGUF", YES)

    assert [] == [line for line in server.requests if "/resolve/" in line]


def test_a_folder_in_the_hubs_cache_is_used(server, home, monkeypatch):
    from tests.support.random_models import VARIANTS, make_source

    source = make_source(home / "source", VARIANTS["rotary quarter"])
    server.repositories["org/name"] = source
    snapshot = home / ".cache" / "huggingface" / "hub" / "models--org--name" / "snapshots" / COMMIT
    shutil.copytree(source, snapshot)

    assert add_model("org/name", YES).is_new
    assert [] == [line for line in server.requests if "/resolve/" in line]
