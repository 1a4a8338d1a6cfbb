"""Importing a model takes the memory of a few tensors, and a full disk leaves nothing half-written.

Each case is a process of its own, so that its memory can be measured and its files limited.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from model_runtime.models.bundle import ModelBundle
from tests.model_runtime.importers.test_gguf import made
from tests.support.gguf_files import write_gguf
from tests.support.random_models import make_source
from tests.support.random_neox import Variant, train_tokenizer
from tests.support.requirements import required_module

required_module("torch")

ROOT = Path(__file__).parents[3]
CONVERT = """
import json, sys
from pathlib import Path
from model_runtime.errors import ConversionError, GgufError
from model_runtime.importers.checkpoint import Checkpoint
from model_runtime.importers.gguf import convert_gguf
from model_runtime.importers.huggingface import convert_folder
import gguf, safetensors

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))

source, target = map(Path, sys.argv[1:])
convert = convert_gguf if source.suffix == ".gguf" else convert_folder
before = memory("VmRSS")
try:
    report = convert(source, target, name="m", order="psm")
    print(json.dumps({"peak": memory("VmHWM") - before, "source": report.source_bytes}))
except (ConversionError, GgufError) as error:
    print(json.dumps({"problem": str(error)}))
"""
WIDE = {
    "vocab_size": 12288,
    "hidden_size": 512,
    "intermediate_size": 1024,
    "num_hidden_layers": 20,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
}
LARGEST = 4 * WIDE["vocab_size"] * WIDE["hidden_size"]
"""Bytes of the largest tensor in float32."""


def converted(source, target, file_bytes=resource.RLIM_INFINITY):
    """Returns what the conversion says in a process whose files may have so many bytes."""
    done = subprocess.run(
        [sys.executable, "-c", CONVERT, str(source), str(target)],
        capture_output=True,
        text=True,
        check=False,
        cwd=target.parent,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes)),
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_CACHE_HOME": str(target.parent / "cache"),
            "OPENBLAS_NUM_THREADS": "1",
        },
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("kind", ["gguf", "folder"])
def test_the_peak_of_memory_is_a_few_of_the_largest_tensor(tmp_path, kind):
    model = made("Qwen2", WIDE)
    if kind == "gguf":
        train_tokenizer(tmp_path / "tokenizer.json", 400)
        source = write_gguf(tmp_path / "m.gguf", model, tmp_path / "tokenizer.json")
    else:
        source = tmp_path / "source"
        model.save_pretrained(source, max_shard_size="40MB")
        train_tokenizer(source / "tokenizer.json", 400)
    del model

    found = converted(source, tmp_path / "bundle")

    assert found["source"] > 10 * LARGEST
    assert found["peak"] < 5 * LARGEST


@pytest.mark.parametrize("kind", ["gguf", "folder"])
@pytest.mark.parametrize("file_bytes", [500, 60_000], ids=["at once", "in the weights"])
def test_a_disk_that_fills_is_one_sentence_and_the_old_model_stays(tmp_path, kind, file_bytes):
    if kind == "gguf":
        train_tokenizer(tmp_path / "tokenizer.json", 400)
        source = tmp_path / "m.gguf"
        write_gguf(source, made("Qwen2", {}), tmp_path / "tokenizer.json")
    else:
        source = make_source(tmp_path / "source", Variant(layers=4))
    folder = tmp_path / "models"
    folder.mkdir()
    assert "peak" in converted(source, folder / "bundle")

    problem = converted(source, folder / "bundle", file_bytes)["problem"]

    assert "cannot write" in problem
    assert problem.endswith("make room there and try again")
    ModelBundle.open(folder / "bundle").verify_weights()
    assert {"bundle", "cache"} >= {path.name for path in folder.iterdir()}
    assert not (folder / "cache").exists() or not list((folder / "cache").rglob("*.json"))
