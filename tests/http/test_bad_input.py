"""Bodies and connections as they should not be: the status that the API uses, and one sentence."""

import json
import socket
from contextlib import closing

import httpx
import pytest

from fim_lsp.http import body, connections
from fim_lsp.http.app import new_app
from fim_lsp.http.service import CompletionService
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from model_runtime.errors import EngineError
from tests.http.conftest import Serve
from tests.support.http_server import RunningServer

SHAPES = {
    "/infill": lambda answer: answer["error"]["message"],
    "/completion": lambda answer: answer["error"]["message"],
    "/v1/completions": lambda answer: answer["error"]["message"],
    "/v1/fim/completions": lambda answer: answer["error"]["message"],
    "/api/generate": lambda answer: answer["error"],
    "/tokenize": lambda answer: answer["error"]["message"],
    "/detokenize": lambda answer: answer["error"]["message"],
}
NO_JSON = [
    (b"", "the body is no JSON: Expecting value at line 1, column 1"),
    (b'{"prompt": ', "the body is no JSON: Expecting value at line 1"),
    (b"[]", "the body must be a JSON object"),
    (b"3", "the body must be a JSON object"),
    (b'{"prompt": NaN}', "no JSON that can be read"),
    (b'{"prompt": "\xff"}', "no JSON that can be read"),
    (b'{"a":' * 100_000, "no JSON that can be read"),
    (b'{"n_predict": ' + b"9" * 10_000 + b"}", "no JSON that can be read"),
]
WRONG = [
    ("/infill", {"input_suffix": ""}, 400, '"input_prefix" is required'),
    ("/infill", {"input_prefix": 3}, 400, "`input_prefix` must be a string, not 3"),
    ("/infill", {"input_prefix": "", "input_suffix": "", "input_extra": "x"}, 400, "a list of"),
    ("/infill", {"input_prefix": "", "input_suffix": "", "input_extra": [{}]}, 400,
     '"input_extra[0].text" is required'),
    ("/infill", {"input_prefix": "", "input_suffix": "", "n_predict": "9"}, 400, "whole number"),
    ("/infill", {"input_prefix": "", "input_suffix": "", "n_predict": True}, 400, "whole number"),
    ("/infill", {"input_prefix": "", "input_suffix": "", "stop": [1]}, 400, "`stop` must be"),
    ("/infill", {"input_prefix": "", "input_suffix": "", "stream": "yes"}, 400, "true or false"),
    ("/infill", {"input_prefix": "", "input_suffix": "", "response_fields": {"a": 1}}, 400,
     "`response_fields` must be"),
    ("/completion", {}, 400, '"prompt" is required'),
    ("/completion", {"prompt": [1, None]}, 400, "ids of tokens, not None"),
    ("/completion", {"prompt": [10**9]}, 400, "ids of tokens, not 1000000000"),
    ("/completion", {"prompt": ["a", "b"]}, 400, "several prompts"),
    ("/completion", {"prompt": "<fim_suffix>a"}, 400, "must have each of <fim_prefix>"),
    ("/completion", {"prompt": "<fim_middle>a<fim_suffix>b<fim_prefix>"}, 400,
     "<fim_middle> <fim_suffix> <fim_prefix> stand in an order of no model"),
    ("/v1/completions", {"prompt": {"a": 1}}, 400, "`prompt` must be a string"),
    ("/v1/completions", {"prompt": "a", "suffix": []}, 400, "`suffix` must be a string"),
    ("/v1/completions", {"model": "gpt-9", "prompt": "a"}, 404, "'gpt-9' does not exist here"),
    ("/v1/completions", {"model": 7, "prompt": "a"}, 400, "`model` must be a string"),
    ("/v1/completions", {"segments": "x"}, 400, "`segments` must be an object"),
    ("/v1/completions", {"segments": {"suffix": ""}}, 400, '"segments.prefix" is required'),
    ("/v1/fim/completions", {"suffix": "a"}, 400, '"prompt" is required'),
    ("/api/generate", {"model": "mystery", "prompt": "a"}, 404, "model 'mystery' not found"),
    ("/api/generate", {"model": "fim-lsp", "prompt": "a", "options": []}, 400, "an object"),
    ("/tokenize", {}, 400, '"content" is required'),
    ("/detokenize", {"tokens": "abc"}, 400, "`tokens` must be a list of ids"),
    ("/detokenize", {"tokens": [-1]}, 400, "ids of tokens, not -1"),
]  # fmt: skip
JSON = {"content-type": "application/json"}
GOOD = {"input_prefix": "x = ", "input_suffix": ""}


def connected(server: RunningServer) -> closing:
    return closing(socket.create_connection(("127.0.0.1", server.port), timeout=60))


def head(server: RunningServer, *lines: str) -> bytes:
    fixed = ("POST /infill HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *lines)
    return "\r\n".join((*fixed, "Content-Type: application/json", "", "")).encode()


def all_of(connection: socket.socket) -> bytes:
    """Returns what comes until the server closes the connection."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionResetError:  # it was closed with bytes unread
        pass
    return received


@pytest.mark.parametrize(("content", "message"), NO_JSON, ids=range(len(NO_JSON)))
@pytest.mark.parametrize("path", SHAPES)
def test_what_is_no_json_is_refused(path, content, message, server: RunningServer):
    response = httpx.post(server.url + path, content=content, headers=JSON, timeout=60)
    assert 400 == response.status_code
    assert message in SHAPES[path](response.json())
    assert [] == server.engine.prompts


@pytest.mark.parametrize(("path", "sent", "status", "message"), WRONG)
def test_the_field_that_is_wrong_is_named(path, sent, status, message, server: RunningServer):
    response = server.post(path, sent)
    assert status == response.status_code
    told = SHAPES[path](response.json())
    assert message in told
    assert "\n" not in told
    assert [] == server.engine.prompts


def test_a_path_or_a_method_that_is_not_served_is_named(server: RunningServer):
    assert "GET /v2/completions is not served here" in server.get("/v2/completions").text
    response = server.get("/infill")
    assert (405, "POST") == (response.status_code, response.headers["allow"])


def test_a_huge_body_is_refused_before_it_is_read(server: RunningServer):
    with connected(server) as connection:
        connection.sendall(head(server, "Content-Length: 104857600"))
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"the body is larger than 8 MB" in answer


def test_a_huge_body_without_a_length_is_refused_while_it_is_read(server: RunningServer):
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    with connected(server) as connection:
        connection.sendall(head(server, "Transfer-Encoding: chunked"))
        try:
            for _ in range(100):
                connection.sendall(chunk)
        except (ConnectionResetError, BrokenPipeError):
            pass
        all_of(connection)
    assert "ok" == server.get("/health").json()["status"]
    assert [] == server.engine.prompts


def test_a_body_that_does_not_come_is_not_waited_for(server: RunningServer, monkeypatch):
    monkeypatch.setattr(body, "MAX_BODY_SECONDS", 0.2)
    with connected(server) as connection:
        connection.sendall(head(server, "Content-Length: 100") + b"{")
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not come within" in answer


@pytest.mark.parametrize("before", [b"", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"])
def test_a_head_that_does_not_end_is_not_waited_for(before, server: RunningServer, monkeypatch):
    """A byte now and then would keep other servers waiting for ever."""
    monkeypatch.setattr(connections, "MAX_HEAD_SECONDS", 0.3)
    with connected(server) as connection:
        connection.sendall(before)
        if before:
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.settimeout(0.05)
        ended = False
        for byte in b"POST /infill HTTP/1.1\r\n" + b"X-Slow: " + b"a" * 400:
            try:
                connection.sendall(bytes([byte]))
                ended = connection.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break
    assert ended


def test_many_slow_clients_do_not_keep_others_waiting(server: RunningServer):
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(head(server, "Content-Length: 100")[:40])
        assert "first + second" == server.post("/infill", GOOD).json()["content"]
    finally:
        server.engine.prompts.clear()
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("path", ["/infill", "/v1/completions", "/api/generate"])
def test_a_text_longer_than_the_context_is_cut_around_the_cursor(path, serve: Serve):
    server = serve()
    before, after = "a = 1\n" * 100_000 + "x = ", "\ny = 2" * 10_000
    sent = {"prompt": before, "suffix": after, "model": "fim-lsp", "stream": False}
    if path == "/infill":
        sent = {"input_prefix": before, "input_suffix": after}
    response = server.post(path, sent)
    assert 200 == response.status_code
    assert "first + second" in response.text
    [prompt] = server.engine.prompts
    assert len(prompt) <= 768


def test_endless_names_are_no_burden(serve: Serve):
    server = serve()
    sent = {"segments": {"prefix": "x = ", "filepath": "a/" * 1_000_000}, "user": "me" * 1_000_000}
    response = server.post("/v1/completions", sent)
    assert "" == response.json()["choices"][0]["text"]
    [trace] = server.traces()
    assert "its path is too long" in str(trace["reason"])
    assert len(server.get("/v1/traces").content) < 100_000


def test_an_engine_that_breaks_is_told_as_an_error(serve: Serve):
    server = serve(fail=EngineError("the device is gone; plug it in again"))
    response = server.post("/v1/completions", {"prompt": "my_secret_code = ", "suffix": "\n"})
    assert 500 == response.status_code
    # Opened again it is closed still, which is what the last attempt met.
    assert "open a new one" in response.json()["error"]["message"]
    assert "my_secret" not in response.text


def test_an_error_in_a_stream_has_the_status_of_an_error(serve: Serve):
    server = serve(fail=EngineError("the device is gone; plug it in again"))
    sent = {"prompt": "my_secret_code = ", "suffix": "\n", "stream": True, "model": "fim-lsp"}
    response = server.post("/api/generate", sent)
    assert 500 == response.status_code
    assert "open a new one" in response.json()["error"]


def test_errors_and_traces_hold_nothing_of_what_others_have_sent(serve: Serve):
    server = serve(answer="my_secret_answer = 1", fail_after=5, fail=EngineError("gone; restart"))
    for _ in range(3):
        server.post("/infill", {"input_prefix": "my_secret_code = ", "input_suffix": "\n"})
    told = [server.post("/infill", {"input_prefix": 1}).text, server.get("/v1/traces").text]
    told += [server.get(path).text for path in ("/props", "/health", "/v1/models", "/nothing")]
    assert [] == [text for text in told if "my_secret" in text]


def test_a_text_that_was_held_back_is_in_no_answer_and_no_trace(serve: Serve):
    server = serve(answer="my_secret_answer = 1", logprob=-5.0)
    answer = server.post("/infill", {"input_prefix": "x = ", "input_suffix": "\n"})
    told = [answer.text, server.get("/v1/traces").text]
    assert "lowConfidence" in told[1]
    assert [] == [text for text in told if "secret" in text]


def test_lone_surrogates_are_replaced(serve: Serve):
    server = serve()
    content = json.dumps({"input_prefix": "x = '\ud800' + ", "input_suffix": "\udfff"})
    response = httpx.post(f"{server.url}/infill", content=content, headers=JSON, timeout=60)
    assert "first + second" == response.json()["content"]


async def test_a_request_while_the_model_loads_is_told_to_come_again():
    """llama.cpp's clients know the words."""
    service = CompletionService(ModelHost(), Settings())
    app = new_app(service, [], None)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        response = await client.post("/infill", json=GOOD)
    assert 503 == response.status_code
    assert "1" == response.headers["retry-after"]
    error = {"code": 503, "message": "Loading model", "type": "unavailable_error"}
    assert {"error": error} == response.json()
