"""The embedded model behind the real command and the real provider: offline, light, and off the event loop."""

import asyncio
import json
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from tests.support.demo import place, printed, quoted, without_figures

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "inventory.py"
SETTINGS = Settings(debounce_ms=0, eagerness=1.0)
TEXT = (ROOT / "model_runtime" / "prompt" / "encoder.py").read_text(encoding="utf-8")

OFFLINE = """
import socket, sys
def refuse(*_, **__): raise AssertionError("the network was used")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from fim_lsp.cli import main
code = main(sys.argv[1:])
heavy = {"torch", "transformers", "huggingface_hub", "pygls", "httpx"} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", OFFLINE, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )


def test_the_demo_completes_offline_and_without_torch():
    done = run("complete", place(), "--json")

    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)
    assert {"items", "model", "engine", "promptTokens", "cachedTokens", "timingsMs"} == set(told)
    assert told["engine"] in ("ctranslate2", "onnx")  # whichever is faster here
    assert told["promptTokens"] > 100
    for item in told["items"]:
        assert {"insertText", "range", "meanLogprob"} == set(item)


def test_the_readme_quotes_what_the_demo_prints():
    """`make demo-text` quotes it anew."""
    assert without_figures(printed()) == without_figures(quoted())


@pytest.mark.parametrize("engine", ["onnx", "ctranslate2"])
def test_what_the_demo_shows_is_right(engine, tmp_path):
    text = DEMO.read_text(encoding="utf-8")
    with pytest.raises(SyntaxError):
        compile(text, DEMO.name, "exec")
    told = json.loads(run("complete", place(), "--engine", engine, "--json").stdout)
    (item,) = told["items"]
    lines = text.splitlines(keepends=True)
    start, end = item["range"]["start"], item["range"]["end"]
    assert start["line"] == end["line"]
    line = lines[start["line"]]
    lines[start["line"]] = (
        line[: start["character"]] + item["insertText"] + line[end["character"] :]
    )
    (tmp_path / DEMO.name).write_text("".join(lines), encoding="utf-8")
    names = runpy.run_path(str(tmp_path / DEMO.name), run_name=DEMO.stem)
    inventory = names["Inventory"]({"apple": names["Item"]("apple", 0.5)})

    assert 0.5 == inventory.price("apple")
    assert inventory.price("pear") is None


def test_in_a_pipe_the_completion_is_plain_text_in_its_context():
    done = run("complete", place())

    assert "\x1b" not in done.stdout
    assert "def price(self, name: str) -> float | None:" in done.stdout
    assert re.search(r"^ready in \d+ ms, answered in \d+ ms: ", done.stdout, re.MULTILINE)


def test_the_doctor_finds_the_embedded_model_well():
    told = json.loads(run("doctor", "--json").stdout)

    assert told["ok"]
    assert told["tokens_per_second"] > 0
    assert {"ctranslate2", "onnx"} == {found["engine"] for found in told["engines"]}
    assert told["engine"] in [found["engine"] for found in told["engines"] if found["key_ms"] > 0]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["complete", "nowhere.py:1:1"], 1, "nowhere.py: no such file"),
        (["complete", f"{DEMO}:999:1"], 1, "there is no line 999"),
        (["complete", f"{DEMO}:1:999"], 1, "columns go from 1 to"),
        (["complete", str(DEMO)], 2, "expected FILE:LINE:COLUMN"),
        (["complete", f"{DEMO}:1:1", "-n", "0"], 2, "at least one"),
        (["complete", f"{DEMO}:1:1", "--model", "nix"], 1, "no model has the name 'nix'"),
        (["complete", f"{DEMO}:1:1", "--threads", "-1"], 2, "threads must be"),
        (["complete", f"{DEMO}:1:1", "--engine", "tensorflow"], 2, "invalid choice"),
        (["serve", "--tcp", "9275"], 2, "expected HOST:PORT"),
        (["serve", "--tcp", "127.0.0.1:9275", "--socket"], 2, "not allowed with"),
        (["serve", "--tcp", "127.0.0.1:9275", "--threads", "-1"], 2, "threads must be"),
        (["serve", "--threads", "1"], 2, "one editor has it as a setting"),
        (["serve", "--unload-after-minutes", "1"], 2, "--unload-after-minutes is for --socket"),
        (["connect", "127.0.0.1:99999"], 2, "expected HOST:PORT"),
        (["serve", "--tcp", "0.0.0.0:9275"], 2, "0.0.0.0"),
        (["nonsense"], 2, "there is no command"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_no_traceback(arguments, code, said):
    done = subprocess.run(
        [sys.executable, "-m", "fim_lsp", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )

    assert code == done.returncode
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["fim_lsp.cli", "fim_lsp.lsp.handlers", "model_runtime"])
def test_importing_pulls_in_neither_torch_nor_transformers_nor_an_engine(module):
    code = (
        f"import sys, {module}\n"
        "heavy = {'torch', 'transformers', 'ctranslate2', 'huggingface_hub', 'httpx'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr


def snapshot(end: int, version: int = 1) -> DocumentSnapshot:
    return DocumentSnapshot("file:///embedded.py", "python", version, TEXT[:end] + TEXT[4000:], end)


async def test_one_more_key_reuses_the_state_of_the_prompt():
    host = ModelHost()
    await host.ready(SETTINGS)
    provider = CompletionProvider(host)
    for version, end in enumerate((2500, 2501)):
        await provider.complete(
            CompletionRequest(snapshot(end, version), Trigger.INVOKED, SETTINGS)
        )
    typed, cold = (trace.generation for trace in provider.log.newest())
    host.close()

    assert 0 == cold.decoding.cached_tokens
    assert typed.decoding.cached_tokens > cold.prompt.prompt_tokens / 2


@pytest.mark.parametrize("engine", ["onnx", "ctranslate2"])
async def test_several_candidates_read_the_prompt_once(engine):
    settings = Settings(debounce_ms=0, eagerness=1.0, engine=engine, candidates=4)
    host = ModelHost()
    await host.ready(settings)
    provider = CompletionProvider(host)
    await provider.complete(CompletionRequest(snapshot(2500), Trigger.INVOKED, settings))
    (trace,) = provider.log.newest()
    host.close()
    first, *others = trace.generation.candidates

    assert 0 == first.cached_tokens
    assert others
    prompt_tokens = trace.generation.prompt.prompt_tokens
    assert all(other.cached_tokens > prompt_tokens * 0.8 for other in others)


async def test_two_editors_with_two_files_each_pay_for_their_own_keys():
    """One engine serves them all; `cachedTokens` tells what was not run again."""
    settings = Settings(debounce_ms=0, eagerness=1.0, engine="onnx")
    host = ModelHost()
    await host.ready(settings)
    editors = [CompletionProvider(host), CompletionProvider(host)]
    places = [("a.py", 800), ("b.py", 1800)]

    async def type_a_key(version: int) -> list[int]:
        costs = []
        for number, editor in enumerate(editors):
            for uri, cursor in places:
                start = 2000 * number
                text = TEXT[start : start + cursor + version] + TEXT[start + cursor + 50 :]
                shot = DocumentSnapshot(uri, "python", version, text, cursor + version)
                await editor.complete(CompletionRequest(shot, Trigger.INVOKED, settings))
                told = editor.log.newest()[0].generation
                costs.append(told.prompt.prompt_tokens - told.decoding.cached_tokens)
        return costs

    prefills = await type_a_key(0)
    typed = [cost for version in (1, 2, 3) for cost in await type_a_key(version)]
    host.close()

    assert min(prefills) > 100
    assert sorted(typed)[len(typed) // 2] <= 3
    assert max(typed) <= 24  # Enter: the line that is done becomes text before the hole


async def test_the_event_loop_turns_while_the_model_works(record_property):
    """The longest gap is reported; `benchmarks/event_loop.py` measures it on a quiet machine."""
    host = ModelHost()
    await host.ready(SETTINGS)
    provider = CompletionProvider(host)
    asking = asyncio.ensure_future(
        provider.complete(CompletionRequest(snapshot(3000), Trigger.INVOKED, SETTINGS))
    )
    turns, longest, before = 0, 0.0, time.perf_counter()
    while not asking.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        turns, longest, before = turns + 1, max(longest, now - before), now
    await asking
    trace = provider.log.newest()[0]
    host.close()
    record_property("longest_gap_ms", round(longest * 1e3, 2))

    assert trace.generation.decoding.new_tokens > 0
    assert turns > 10  # one blocking call would leave a turn or two
