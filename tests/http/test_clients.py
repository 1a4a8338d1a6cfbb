"""Clients as they are: bodies that they send, and the libraries that many of them use."""

import json
from pathlib import Path

import httpx
import ollama
import openai
import pytest

from model_runtime.prompt.encoder import MAX_REREAD_TOKENS, Hole, PromptBudget, PromptRequest
from tests.http.conftest import Serve
from tests.support.http_server import RunningServer

FOLDER = Path(__file__).parents[1] / "data" / "http_clients"
BODIES = [json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))]

TEXT_OF = {
    "openai": lambda event: event["choices"][0]["text"],
    "fim": lambda event: event["choices"][0]["delta"]["content"],
    "llama.cpp": lambda event: event["content"],
    "ollama": lambda event: event["response"],
}
PREFIX, SUFFIX = "def add(first, second):\n    return ", "\n\nprint(add(1, 2))\n"


def events(response: httpx.Response) -> list[dict[str, object]]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def is_part_of(expected: object, actual: object) -> bool:
    """Tells whether all that is expected is there; objects may have more keys."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return all(key in actual and is_part_of(expected[key], actual[key]) for key in expected)
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(is_part_of, expected, actual))
    return expected == actual


@pytest.mark.parametrize("recorded", BODIES, ids=lambda recorded: recorded["client"])
def test_a_client_gets_the_answer_that_it_reads(recorded: dict, serve: Serve):
    server = serve()
    response = server.post(recorded["path"], recorded["body"])

    assert response.status_code == 200, response.text
    if "form" in recorded:
        told = "".join(map(TEXT_OF[recorded["form"]], events(response)))
        assert recorded["text"] == told
    else:
        assert is_part_of(recorded["answer"], response.json()), response.text
        assert recorded.get("keys") in (None, list(response.json()))


@pytest.mark.parametrize(
    "recorded",
    [recorded for recorded in BODIES if "saw" in recorded],
    ids=lambda recorded: recorded["client"],
)
def test_the_model_reads_its_own_format_whatever_the_client_wrote(recorded: dict, serve: Serve):
    server = serve()
    server.post(recorded["path"], recorded["body"])
    saw = recorded["saw"]

    request = PromptRequest(Hole(saw["prefix"], saw["suffix"]), saw.get("path", ""))
    budget = PromptBudget(768, reread_tokens=MAX_REREAD_TOKENS)
    expected = server.model.encoder.prompt(request, budget).ids
    assert server.engine.prompts[0] == expected


def test_every_client_of_the_docs_is_recorded():
    clients = {recorded["client"].partition("-")[0] for recorded in BODIES}
    assert clients == {
        "continue", "llama.vim", "llama.vscode", "minuet", "tabby", "twinny", "zed",
    }  # fmt: skip


def test_a_warm_up_reads_the_prompt_and_writes_nothing(serve: Serve):
    server = serve()
    warm = {"input_prefix": PREFIX, "input_suffix": SUFFIX, "n_predict": 0}
    assert "" == server.post("/infill", warm).json()["content"]
    assert 1 == len(server.engine.prompts)

    answer = server.post("/infill", {**warm, "n_predict": 32}).json()
    assert "first + second" == answer["content"]
    assert answer["tokens_cached"] == answer["tokens_evaluated"] - 1
    assert ["shown", "read"] == [trace["outcome"] for trace in server.traces()]


# The packages of OpenAI and Ollama


@pytest.fixture
def of_openai(server: RunningServer):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_openai_completes(of_openai: openai.OpenAI):
    answer = of_openai.completions.create(
        model="fim-lsp", prompt=PREFIX, suffix=SUFFIX, max_tokens=32
    )
    assert "first + second" == answer.choices[0].text
    assert "stop" == answer.choices[0].finish_reason


def test_openai_streams(of_openai: openai.OpenAI):
    stream = of_openai.completions.create(
        model="fim-lsp",
        prompt=f"{PREFIX}(",
        suffix=SUFFIX,
        stream=True,
        stream_options={"include_usage": True},
    )
    *parts, usage = list(stream)
    assert "first + second" == "".join(part.choices[0].text for part in parts)
    assert usage.usage.completion_tokens > 0


def test_openai_lists_the_model(of_openai: openai.OpenAI):
    assert ["scripted"] == [model.id for model in of_openai.models.list()]


def test_openai_is_told_that_a_model_is_unknown(of_openai: openai.OpenAI):
    with pytest.raises(openai.NotFoundError, match="'gpt-9' does not exist here") as caught:
        of_openai.completions.create(model="gpt-9", prompt="a", suffix="b")
    assert "model_not_found" == caught.value.code


def test_openai_is_told_which_field_is_wrong(of_openai: openai.OpenAI):
    with pytest.raises(openai.BadRequestError, match="`max_tokens` must be a whole number"):
        of_openai.completions.create(model="fim-lsp", prompt="a", max_tokens="many")


@pytest.fixture
def of_ollama(server: RunningServer):
    with ollama.Client(host=server.url) as client:
        yield client


def test_ollama_completes(of_ollama: ollama.Client):
    answer = of_ollama.generate("fim-lsp", PREFIX, suffix=SUFFIX, options={"num_predict": 32})
    assert "first + second" == answer.response
    assert "stop" == answer.done_reason


def test_ollama_streams(of_ollama: ollama.Client):
    parts = list(of_ollama.generate("fim-lsp", f"{PREFIX}[", suffix=SUFFIX, stream=True))
    assert "first + second" == "".join(part.response for part in parts)
    assert [False] * (len(parts) - 1) + [True] == [part.done for part in parts]


def test_ollama_lists_and_shows_the_model(of_ollama: ollama.Client):
    assert ["scripted", "fim-lsp:latest"] == [model.model for model in of_ollama.list().models]
    assert "insert" in of_ollama.show("fim-lsp").capabilities


def test_ollama_is_told_that_a_model_is_unknown(of_ollama: ollama.Client):
    with pytest.raises(ollama.ResponseError, match="'mystery' not found") as caught:
        of_ollama.generate("mystery", "a")
    assert 404 == caught.value.status_code
