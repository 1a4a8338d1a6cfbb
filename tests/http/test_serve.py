"""`fim-lsp serve --http` as a user runs it, with the embedded model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.wire import connect, free_port, texts

PREFIX, SUFFIX = "def add(first, second):\n    return first + ", "\n"
CODE = f"{PREFIX}{SUFFIX}"
Start = Callable[..., tuple[str, Path]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    folders = {name: str(tmp_path / name) for name in ("state", "cache", "run")}
    (tmp_path / "run").mkdir(mode=0o700)
    return {
        **os.environ,
        "XDG_STATE_HOME": folders["state"],
        "XDG_RUNTIME_DIR": folders["run"],
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts servers that listen: `start(*options)` returns the address and the log file."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*options: str, **headers: str) -> tuple[str, Path]:
        port, log = free_port(), tmp_path / "log"
        command = [sys.executable, "-m", "fim_lsp", "serve", "--http", f"127.0.0.1:{port}"]
        process = subprocess.Popen([*command, "--log-file", str(log), *options], env=environment)
        running.append(process)
        address = f"http://127.0.0.1:{port}"
        until_ready(process, address, headers)
        return address, log

    yield begin
    for process in running:
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(60)


def until_ready(process: subprocess.Popen[bytes], address: str, headers: dict[str, str]) -> None:
    while process.poll() is None:
        try:
            if httpx.get(f"{address}/health", headers=headers).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the server ended with {process.returncode}")


def run(*options: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fim_lsp", "serve", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)


def test_the_embedded_model_answers_and_the_log_says_what_is_open(start: Start):
    address, log = start("--eagerness", "1")
    sent = {"language": "python", "segments": {"prefix": PREFIX, "suffix": SUFFIX}}
    answer = httpx.post(f"{address}/v1/completions", json=sent, timeout=60).json()
    assert "second" in answer["choices"][0]["text"]

    told = log.read_text()
    assert f"HTTP server on {address}" in told
    assert "any program of yours may ask it, web pages and other users may not" in told
    assert "return first" not in told


def test_one_process_serves_an_editor_and_http_with_one_model(
    start: Start, environment: dict[str, str]
):
    port = free_port()
    address, log = start("--tcp", f"127.0.0.1:{port}", "--eagerness", "1")
    token_file = Path(environment["XDG_RUNTIME_DIR"]) / "fim-lsp" / f"tcp-{port}.token"
    client, wire = connect(port, token_file)
    with closing(client):
        wire.initialize(initializationOptions={"eagerness": 1, "debounceMs": 0})
        wire.open(CODE)
        line = PREFIX.rpartition("\n")[2]
        in_editor = texts(wire.complete(1, len(line)))
        sent = {"language": "python", "segments": {"prefix": PREFIX, "suffix": SUFFIX}}
        over_http = httpx.post(f"{address}/v1/completions", json=sent, timeout=60).json()
        wire.close()
    assert in_editor == [over_http["choices"][0]["text"]]
    assert 1 == log.read_text().count("loader: loaded ")


def test_a_token_comes_from_a_file_that_only_its_owner_reads(start: Start, tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("abc123\n")
    file.chmod(0o644)
    refused = run("--http", "127.0.0.1:0", "--http-token-file", str(file))
    assert "not yours alone" in refused.stderr
    file.chmod(0o600)
    address, _ = start("--http-token-file", str(file), authorization="Bearer abc123")
    assert 401 == httpx.get(f"{address}/health").status_code


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--http", "0.0.0.0:8012"), "other machines can reach"),
        (("--http", "8012"), "expected HOST:PORT"),
        (("--http-token-file", "x"), "--http-token-file is for --http"),
        (("--tcp", "127.0.0.1:0", "--eagerness", "1"), "--eagerness is for --http"),
        (("--http", "127.0.0.1:0", "--eagerness", "7"), "eagerness must be"),
        (("--http", "127.0.0.1:0", "--http-token-file", "/nowhere"), "/nowhere cannot be read"),
        (
            ("--http", "0.0.0.0:0", "--allow-unencrypted-remote-connections"),
            "needs --http-token-file",
        ),
        (("--model", "embedded"), "--model is for --socket, --tcp and --http"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    done = run(*options)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named(start: Start, tmp_path: Path):
    address, _ = start()
    done = run("--http", address.removeprefix("http://"), "--log-file", str(tmp_path / "other"))
    assert "is in use" in done.stderr


def test_without_the_extra_one_sentence_says_how_to_install_it():
    program = (
        "import sys; sys.modules['starlette'] = None; sys.modules['uvicorn'] = None\n"
        "from fim_lsp.cli import main\n"
        "sys.argv = ['fim-lsp', 'serve', '--http', '127.0.0.1:0']\n"
        "sys.exit(main())"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "pip install 'fim-lsp[http]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_editor_alone_does_not_load_the_http_server():
    """Base installs lack the libraries, and every start would pay for them."""
    program = (
        "import sys, fim_lsp.commands.serve, fim_lsp.lsp.stdio, fim_lsp.lsp.tcp\n"
        "print([name for name in sys.modules if name.startswith(('starlette', 'uvicorn'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "[]" == done.stdout.strip()
