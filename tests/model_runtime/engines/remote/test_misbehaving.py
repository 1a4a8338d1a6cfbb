"""Whatever a server answers becomes one sentence that names it, and never another error."""

import json
import re
import socket
import sys
import threading
from contextlib import ExitStack

import httpx
import pytest

from model_runtime.engines.endpoint import Endpoint, address_of
from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.remote.connection import Connection
from model_runtime.engines.remote.connections import Connections
from model_runtime.engines.remote.engine import RemoteEngine
from model_runtime.engines.remote.problem import Cancelled
from model_runtime.errors import EngineUnavailable, PromptTooLong, ServerUnavailable
from tests.support.model_server import ModelServer, open_remote, serving

GREEDY = SamplingParams(max_tokens=4, stop_ids=frozenset())
PROMPT = list(range(10, 40))
TOKEN = {
    "content": "x",
    "tokens": [88],
    "stop": False,
    "completion_probabilities": [{"id": 88, "logprob": -0.1}],
}


def ids_of(engine, prompt=PROMPT, sampling=GREEDY):
    return [token.id for token in engine.generate(prompt, sampling)]


def text(content, status=200, **headers):
    return lambda handler: handler.send_text(content, status, **headers)


def stream(*chunks, whole=True):
    """Sends these chunks, and ends the stream or cuts it off."""

    def answer(handler):
        handler.begin_stream()
        for chunk in chunks:
            handler.send_chunk(chunk)
        if whole:
            handler.end_stream()
        else:
            handler.cut_off()

    return answer


def event(**changes):
    return f"data: {json.dumps({**TOKEN, **changes})}\n\n"


def endless(handler):
    handler.begin_stream()
    while not handler.is_alone():
        handler.send_chunk("x" * 2**20)


def endless_json(handler):
    handler.send_response(200)
    handler.end_headers()
    while not handler.is_alone():
        handler.wfile.write(b" " * 2**20)


ANSWERS = {
    "a web page": (text("<html>Welcome</html>"), "broke off|no stream of events"),
    "half a line": (stream('data: {"content": "x', whole=True), "half a line"),
    "a connection that is cut": (stream(event(), whole=False), "broke"),
    "an answer without an end": (stream(event()), "broke off in the middle"),
    "NaN": (
        stream(event(completion_probabilities=[{"id": 88, "logprob": float("nan")}])),
        "a log-probability that is no number",
    ),
    "a probability that is none": (
        stream(event(completion_probabilities=[{"id": 88, "logprob": None}])),
        "a log-probability that is no number",
    ),
    "probabilities that are none": (stream(event(completion_probabilities=[1])), "probabilities"),
    "an id that there is not": (stream(event(tokens=[10**9], content="")), "the id 1000000000"),
    "ids that are none": (stream(event(tokens=["a"])), "ids that are none"),
    "no text": (stream(event(content=None)), "a text that is none"),
    "no object": (stream("data: [1]\n\n"), "no object"),
    "nesting without end": (stream("data: " + "[" * 100_000 + "\n\n"), "no JSON"),
    "an error in the stream": (stream('data: {"error": {"code": 500}}\n\n'), "failed while it"),
    "an endless line": (endless, "does not end"),
    "a redirect": (
        text("", 302, Location="http://evil.example"),
        "sends requests on to 'http://ev",
    ),
    "no such path": (text("no", 404), "does not know /completion (HTTP 404)"),
    "not implemented": (text("no", 501), "does not know /completion (HTTP 501)"),
    "a bad request": (text("secret words", 400), "refuses /completion (HTTP 400)"),
    "a key that is refused": (text("no", 401), "endpointKeyVariable"),
    "too many requests": (text("", 429, Retry_After="0"), "asks for patience (HTTP 429)"),
    "a server that loads": (text("", 503), "still loads its model (HTTP 503)"),
    "a failure": (text("", 500), "failed (HTTP 500)"),
    "a bad gateway": (text("<html>", 502), "failed (HTTP 502)"),
}


@pytest.mark.parametrize(("answer", "words"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_bad_answer_is_one_sentence_and_the_next_good_one_is_taken(
    answer, words, open_engine, server
):
    engine = open_engine()
    expected = ids_of(engine)
    server.misbehave["/completion"] = answer
    with pytest.raises(ServerUnavailable) as caught:
        ids_of(engine)
    message = str(caught.value)

    assert re.search(words.replace("(", r"\(").replace(")", r"\)"), message), message
    assert f"127.0.0.1:{server.port}" in message
    assert "secret" not in message and "\n" not in message
    assert message == engine.problem

    server.misbehave.clear()
    assert expected == ids_of_when_asked_again(engine)
    assert "" == engine.problem


def ids_of_when_asked_again(engine):
    """The ids, once the engine asks its server again."""
    pause = threading.Event()
    while True:
        try:
            return ids_of(engine)
        except ServerUnavailable:
            pause.wait(0.02)


def test_a_connection_that_the_server_ends_as_it_is_used_again_costs_nothing(open_engine, server):
    engine = open_engine()
    expected = ids_of(engine)

    def end(handler):
        server.misbehave.clear()
        handler.cut_off()

    server.misbehave["/completion"] = end

    assert expected == ids_of(engine)
    assert "" == engine.problem


def test_a_server_that_is_left_alone_is_not_asked(open_engine, server):
    engine = open_engine()
    server.misbehave["/completion"] = text("", 503, Retry_After="3600")
    with pytest.raises(ServerUnavailable):
        ids_of(engine)
    before = len(server.state.asked)
    for _ in range(5):
        with pytest.raises(ServerUnavailable, match="HTTP 503"):
            ids_of(engine)

    assert before == len(server.state.asked)


AT_LOAD = {
    "a web page": ("/props", text("<html>Welcome</html>"), "answers /props with a web page"),
    "no JSON": ("/props", text("hello"), "with no JSON"),
    "a list": ("/props", text("[]"), "properties that are none"),
    "another server": ("/props", text("", 404), "does not know /props (HTTP 404)"),
    "a redirect": ("/props", text("", 301, Location="https://a.example/"), "is not followed"),
    "another vocabulary": (
        "/v1/models",
        text('{"data": [{"meta": {"n_vocab": 5}}]}'),
        "has 5 ids, and embedded has",
    ),
    "other tokens": ("/tokenize", text('{"tokens": [500, 600]}'), "has another tokenizer than"),
    "no tokens": ("/tokenize", text('{"tokens": null}'), "it gives None for ids"),
    "ids out of range": ("/tokenize", text('{"tokens": [99999999]}'), "another tokenizer"),
}


@pytest.mark.parametrize(("path", "answer", "words"), AT_LOAD.values(), ids=AT_LOAD.keys())
def test_another_server_or_model_is_named_when_the_engine_is_opened(
    path, answer, words, open_engine, server
):
    server.misbehave[path] = answer
    if words == "properties that are none":
        assert words in open_engine().problem
        return
    with pytest.raises(EngineUnavailable, match=words.replace("(", r"\(").replace(")", r"\)")):
        open_engine()


def test_sentinels_of_another_model_are_named(open_engine, server, bundle):
    def tokenize(handler):
        ids = server.tokenized(handler.body["content"], is_special=handler.body["parse_special"])
        handler.send_json({"tokens": [id_ + 7 if id_ < 4 else id_ for id_ in ids]})

    server.misbehave["/tokenize"] = tokenize
    with pytest.raises(EngineUnavailable, match=r"is id \d+ there and \d+ here; set model"):
        open_engine()


@pytest.mark.parametrize("name", ["openai", "vllm", "ollama"])
def test_a_model_that_the_server_does_not_have_is_named(name, open_engine):
    with pytest.raises(EngineUnavailable, match="does not have the model 'other'; it has a-model"):
        open_engine(name, model="other")


def test_a_tokenizer_of_ollama_is_compared_token_by_token(open_engine, server, bundle):
    tokens = [bundle.tokenizer.token_of(id_) for id_ in range(bundle.tokenizer.size)]
    tokens[97] = "else"
    server.misbehave["/api/show"] = lambda handler: handler.send_json(
        {"model_info": {"tokenizer.ggml.tokens": tokens}}
    )
    with pytest.raises(EngineUnavailable, match="id 97 is 'else' there and"):
        open_engine("ollama")


def test_a_server_that_is_not_there_yet_is_waited_for(bundle, server):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    engine = open_remote("llama-server", bundle, f"http://127.0.0.1:{port}")
    assert "no server answers at" in engine.problem
    with pytest.raises(ServerUnavailable, match="no server answers at"):
        ids_of(engine)
    with serving(ModelServer(bundle), port):
        assert 4 == len(ids_of_when_asked_again(engine))
    engine.close()


def test_a_server_that_is_started_again_is_asked_again(bundle):
    with serving(ModelServer(bundle)) as first:
        engine = open_remote("llama-server", bundle, first.url)
        expected = ids_of(engine)
    with pytest.raises(ServerUnavailable):
        ids_of(engine)
    with serving(ModelServer(bundle), first.port):
        assert expected == ids_of_when_asked_again(engine)
    engine.close()


def test_another_model_at_the_same_address_is_noticed(bundle):
    with serving(ModelServer(bundle)) as first:
        engine = open_remote("llama-server", bundle, first.url)
        ids_of(engine)
    with pytest.raises(ServerUnavailable):
        ids_of(engine)
    other = ModelServer(bundle)
    other.misbehave["/tokenize"] = text('{"tokens": [500, 600]}')
    with serving(other, first.port):
        while "no server" in problem_of(engine) or "broke" in engine.problem:
            other.state.wait_for(lambda: True)
        assert "has another tokenizer than embedded" in engine.problem
        assert not other.state.prompts
    engine.close()


def test_another_model_is_noticed_though_no_request_failed_meanwhile(bundle):
    """A server that was started anew knows nothing of a prompt that the one before had read."""
    with serving(ModelServer(bundle)) as first:
        engine = open_remote("llama-server", bundle, first.url)
        for _ in range(2):
            ids_of(engine)
    other = ModelServer(bundle)
    other.name = "another-model"
    other.misbehave["/tokenize"] = text('{"tokens": [500, 600]}')
    with (
        serving(other, first.port),
        engine.generate(PROMPT, GREEDY) as tokens,
        pytest.raises(ServerUnavailable, match="has another tokenizer than embedded"),
    ):
        next(tokens)
    engine.close()


@pytest.mark.parametrize("name", ["openai", "vllm"])
def test_an_answer_with_another_models_name_is_not_taken(name, open_engine, server):
    engine = open_engine(name)
    assert 4 == len(ids_of(engine))
    server.name = "another-model"
    with pytest.raises(ServerUnavailable, match="does not have the model 'a-model'"):
        ids_of(engine)


def problem_of(engine):
    with pytest.raises(ServerUnavailable):
        ids_of(engine)
    return engine.problem


def test_a_server_with_a_shorter_context_shortens_the_engines(open_engine, server):
    server.context_length = 64
    engine = open_engine()

    assert 64 == engine.context_length
    with pytest.raises(PromptTooLong, match="context of 64"):
        engine.generate([7] * 61, GREEDY)


def test_an_answer_without_ids_is_spelled_by_the_tokenizer_at_hand(open_engine, server, bundle):
    """A token that ends inside a character is told by its text alone, with the next one."""
    last = bundle.tokenizer.encode("🙂")[-1]
    server.misbehave["/completion"] = stream(
        event(content="🙂", tokens=[last]), event(content="", stop=True, stop_type="eos")
    )

    ids = ids_of(open_engine(), sampling=SamplingParams(12, frozenset()))
    assert "🙂" == bundle.tokenizer.decode(ids[:-1])
    assert bundle.manifest.prompt.end == ids[-1]


def test_an_engine_can_be_closed_while_it_waits(open_engine, server):
    engine = open_engine()
    assert isinstance(engine, RemoteEngine)
    server.may_decode.clear()
    failures = []

    def read():
        try:
            ids_of(engine)
        except ServerUnavailable as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    server.state.wait_for(lambda: server.state.prompts)
    engine.close()
    reader.join(20)

    assert not reader.is_alive()


@pytest.fixture
def deaf_host():
    """The address of a host that takes no connection; others wait already, so nothing answers."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others refuse at once")
@pytest.mark.parametrize("is_given_up_before", [True, False])
def test_a_request_that_is_given_up_does_not_wait_to_be_connected(deaf_host, is_given_up_before):
    address, cancel = address_of(Endpoint(deaf_host), "llama-server", ""), threading.Event()
    connections = Connections(lambda: Connection(address, {}, False))
    if is_given_up_before:
        cancel.set()
    with (
        pytest.raises(httpx.ConnectError, match="given up"),  # none for want of time
        connections.lend(cancel) as exchange,
    ):
        threading.Timer(0.1, cancel.set).start()
        exchange.connection.send("GET", "/", None)
    connections.close()
    with pytest.raises(Cancelled), connections.lend(cancel):
        pass
