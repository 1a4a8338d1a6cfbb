"""README's promises of privacy, as the kernel sees them: every connection, name and file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.offered_model import table
from tests.support.random_models import VARIANTS, make_source
from tests.support.tracing import ROOT, Trace
from tests.support.wire import TIMEOUT_SECONDS, Wire, start_stdio

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's"),
]

REPORTS = tuple(map(int, metadata.version("onnxruntime").split(".")[:2])) >= (1, 29)
"""Whether the library reports its use where nothing is done about that."""
TEXT = "def mean(values):\n    total = sum(values)\n    return total / "


@contextmanager
def serving(trace: Trace, project: Path, engine: str) -> Iterator[Wire]:
    """`fim-lsp serve` on pipes, with a project of one file and its model loaded."""
    process, wire = start_stdio(
        trace.command("-m", "fim_lsp", "serve"),
        cwd=ROOT,
        env=trace.environment,
        stderr=subprocess.DEVNULL,
    )
    wire.answers["workspace/configuration"] = lambda params: [
        {"engine": engine} for _ in params["items"]
    ]
    wire.initialize(
        rootUri=project.as_uri(),
        capabilities={"workspace": {"configuration": True}},
        initializationOptions={"engine": engine},
    )
    try:
        yield wire
        wire.shut_down()
    finally:
        wire.close_input()  # it ends with its input at the latest
        assert 0 == process.wait(TIMEOUT_SECONDS)
        wire.close()


@contextmanager
def unsilenced(trace: Trace) -> Iterator[None]:
    """The library as it comes, for as long as it takes to call its maker; the control."""
    process = subprocess.Popen(
        trace.command("-c", "import onnxruntime, sys; sys.stdin.read()"),
        stdin=subprocess.PIPE,
        env=trace.environment,
    )
    yield
    deadline = time.monotonic() + 4 * TIMEOUT_SECONDS
    while REPORTS and not trace.calls_out() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.communicate()


def test_a_server_calls_nobody_in_the_time_in_which_the_bare_library_does(tmp_path: Path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "means.py").write_text(TEXT)
    control = Trace(tmp_path / "control")
    traces = {engine: Trace(tmp_path / engine) for engine in ("onnx", "auto")}

    with (
        serving(traces["onnx"], project, "onnx") as onnx,
        serving(traces["auto"], project, "auto") as auto,
        unsilenced(control),
    ):
        for wire in (onnx, auto):
            wire.notification("fimLsp/status", state="ready")
            wire.open(TEXT, uri=(project / "means.py").as_uri())
            wire.complete(2, 19, uri=(project / "means.py").as_uri(), kind=1)

    for engine, trace in traces.items():
        assert [] == trace.calls_out(), engine
        assert set() == trace.written_elsewhere(), engine
        assert trace.written()
    if REPORTS:  # the record would have shown it
        assert control.calls_out()
        assert control.written_elsewhere()


def test_an_offer_that_is_declined_calls_nobody(tmp_path: Path):
    """The hub of this catalogue is the real one; what it has is looked up and measured here."""
    source = make_source(tmp_path / "my-model", VARIANTS["rotary quarter"])
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps(table(source, is_permissive=True)))
    trace = Trace(tmp_path / "trace")
    process, wire = start_stdio(
        trace.command("-m", "fim_lsp", "serve"),
        cwd=ROOT,
        env={**trace.environment, "FIM_LSP_CATALOGUE": str(catalogue)},
        stderr=subprocess.DEVNULL,
    )
    wire.answers["window/showMessageRequest"] = lambda asked: {"title": "Not now"}
    wire.initialize(capabilities={"window": {"showMessage": {"messageActionItem": {}}}})
    asked = wire.receive(
        lambda message: message.get("method") == "window/showMessageRequest", 4 * TIMEOUT_SECONDS
    )
    available = wire.result("fimLsp/models", {})["available"]
    wire.shut_down()
    assert 0 == process.wait(TIMEOUT_SECONDS)
    wire.close()

    assert available[0]["name"] in asked["params"]["message"]
    assert [] == trace.calls_out()
    assert set() == trace.written_elsewhere()


@pytest.mark.parametrize(
    "arguments",
    [
        ["fim_lsp.cli", "complete", "examples/inventory.py:29:9"],
        ["fim_lsp.cli", "doctor"],
        ["fim_lsp.cli", "replay", "--fast", "--keys", "20", "examples/inventory.py"],
        ["model_runtime.cli", "models", "list"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_command_calls_nobody_and_writes_in_its_own_folders_only(tmp_path: Path, arguments):
    trace = Trace(tmp_path)
    run(trace, *arguments)

    assert [] == trace.calls_out()
    assert set() == trace.written_elsewhere()


def test_adding_a_model_that_lies_here_calls_nobody(tmp_path: Path):
    source = make_source(tmp_path / "my-model", VARIANTS["rotary quarter"])
    trace = Trace(tmp_path)
    run(trace, "model_runtime.cli", "models", "add", str(source))

    assert [] == trace.calls_out()
    assert set() == trace.written_elsewhere()


def run(trace: Trace, module: str, *arguments: str) -> None:
    """One of our two commands, to its end."""
    code = f"import sys; from {module} import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        trace.command("-c", code, *arguments),
        cwd=ROOT,
        env=trace.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=10 * TIMEOUT_SECONDS,
    )
    assert 0 == done.returncode, done.stderr
