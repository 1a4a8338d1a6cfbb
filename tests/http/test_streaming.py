"""A streamed answer comes as it becomes sure, and nothing that was sent is taken back."""

import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fim_lsp.completion.first_window import FirstWindow
from fim_lsp.completion.generation import GenerationTask
from fim_lsp.completion.own_prompts import OwnPrompts
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.context import NO_CONTEXT
from fim_lsp.document import DocumentSnapshot
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from tests.http.conftest import Serve
from tests.support.http_server import RunningServer
from tests.support.scripted_host import scripted_model

BLOCK = "first = 1\n    second = 2\n    third = 3\n    fourth = 4\n    fifth = 5"
SENT = {"prompt": "def f():\n    ", "suffix": "\n", "stream": True, "model": "fim-lsp"}


def parts(server: RunningServer, sent: dict[str, object]) -> Iterator[str]:
    with httpx.stream("POST", f"{server.url}/v1/completions", json=sent, timeout=60) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("data: {"):
                yield json.loads(line[6:])["choices"][0]["text"]


def test_the_first_line_arrives_before_the_rest_is_written(serve: Serve):
    server = serve(BLOCK, settings=Settings(time_limit_ms=0), token_seconds=0.05)
    stream = parts(server, SENT)
    assert "first = 1" == next(stream)
    written = server.engine.tokens_decoded
    assert BLOCK[len("first = 1") :] == "".join(stream)
    assert written < server.engine.tokens_decoded


def test_a_single_line_arrives_whole(serve: Serve):
    assert ["first + second", ""] == list(parts(serve(), {**SENT, "prompt": "x = "}))


def test_an_answer_from_the_cache_arrives_whole(serve: Serve):
    server = serve(BLOCK)
    before = "".join(parts(server, SENT))
    assert [before, ""] == list(parts(server, SENT))


def test_the_same_text_arrives_in_every_api_streamed_or_not(serve: Serve):
    server = serve(BLOCK)
    whole = server.post("/v1/completions", {**SENT, "stream": False}).json()["choices"][0]["text"]
    ollama = server.post("/api/generate", SENT).text.splitlines()
    assert BLOCK == whole
    assert whole == "".join(json.loads(line)["response"] for line in ollama)


LINES = st.sampled_from(
    ["    x = 1", "    y = f(x)", "    # note", "", "  z", "    return x", "def g():", "    x = 1)",
     "    a.a.a.a.a.a.a.a", "    if x:", "        y = (", "    ) + 2", "\tx", "    total = total + 1",
     "    pr\ufffd", "    '''", "x", "    STOP it"]
)  # fmt: skip
TEXTS = st.lists(LINES, max_size=7).map("\n".join).map(lambda text: text.removeprefix("    "))
PLACES = st.sampled_from(
    ["def f():\n    |\n", "def f():\n    |", "|", "x = (|)\n", "def f():\n    |\n    return x\n",
     "def f():\n    y = |\n    y = f(x)\n", "# a |\n", "def f():\n\t|\n\treturn\n", "x = '|'\n"]
)  # fmt: skip


@hypothesis_settings(max_examples=400, deadline=None)
@given(
    text=TEXTS,
    place=PLACES,
    limit=st.sampled_from([3, 8, 48]),
    logprob=st.sampled_from([-0.01, -0.3]),
)
def test_what_was_told_stands_at_the_beginning_of_what_is_shown(text, place, limit, logprob):
    before, _, after = place.partition("|")
    told: list[str] = []
    request = CompletionRequest(
        DocumentSnapshot("file:///a.py", "python", 1, before + after, len(before)),
        Trigger.AUTOMATIC,
        Settings(max_new_tokens=limit),
        stop_strings=("STOP", "x\n    y"),
        on_sure_text=told.append,
    )
    task = GenerationTask(request, NO_CONTEXT, OwnPrompts(), FirstWindow(), threading.Event())
    result = task.run(scripted_model(text, logprob=logprob))
    assert all(result.completions and result.completions[0].text.startswith(one) for one in told)


def test_something_is_told_at_all():
    told: list[str] = []
    request = CompletionRequest(
        DocumentSnapshot("file:///a.py", "python", 1, "def f():\n    \n", 13),
        Trigger.AUTOMATIC,
        Settings(),
        on_sure_text=told.append,
    )
    task = GenerationTask(request, NO_CONTEXT, OwnPrompts(), FirstWindow(), threading.Event())
    task.run(scripted_model(BLOCK))
    assert ["first = 1"] == told


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/fim/completions"])
def test_a_stream_ends_as_clients_expect(path, serve: Serve):
    response = serve().post(path, SENT)
    assert response.text.endswith("data: [DONE]\n\n")


def test_a_stream_of_llama_cpp_ends_with_stop(serve: Serve):
    sent = {"input_prefix": "x = ", "input_suffix": "", "stream": True}
    *_, last = serve().post("/infill", sent).text.strip().split("\n\n")
    assert json.loads(last.removeprefix("data: "))["stop"] is True
