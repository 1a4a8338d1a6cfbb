"""A server on this machine that runs a small model over HTTP, and misbehaves where a test says so.

The model is a bundle in an engine of this process, so what it answers is what that would.  It
speaks all the dialects of `model_runtime.engines.remote`, each at its own paths.
"""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from model_runtime.engines import registry
from model_runtime.engines.endpoint import Endpoint
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.numpy_sampling import log_total
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import Engine
from model_runtime.models.bundle import ModelBundle

ALTERNATIVES = 40


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class State:
    """The requests of a server; tests read it, and wait for `changed`."""

    asked: list[Asked] = field(default_factory=list)
    num_connections: int = 0
    num_tokens: int = 0
    """Tokens that were decoded, over all requests."""
    num_running: int = 0
    """Requests that are being answered."""
    num_lost: int = 0
    """Requests whose client went away before the answer ended."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, **counts: int) -> None:
        with self.changed:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)
            self.changed.notify_all()

    def wait_for(self, is_so: Callable[[], bool], seconds: float = 30) -> None:
        with self.changed:
            assert self.changed.wait_for(is_so, seconds), self

    @property
    def prompts(self) -> list[Asked]:
        """Requests for a completion."""
        return [one for one in self.asked if one.body.get("stream")]


class ModelServer:
    """Runs a bundle; `serving` starts one."""

    def __init__(self, bundle: ModelBundle, vocab: int | None = None) -> None:
        self.bundle = bundle
        self.state = State()
        self.misbehave: dict[str, Callable[[Handler], None]] = {}
        """Functions that answer paths in place of those that should."""
        self.may_decode = threading.Event()
        """Cleared to hold tokens back, all of them but the first ones of each answer."""
        self.may_decode.set()
        self.num_free_tokens = 0
        """Number of those first ones."""
        self.ends_answers = True
        """False to write on where the model would end, so that every answer is as long as asked."""
        self.may_stop = threading.Event()
        """Cleared to go on with answers whose client has gone."""
        self.may_stop.set()
        self.running_seeds: list[int] = []
        """Seeds of the answers that are being written, as the slots tell them."""
        self.slots = 2
        self.context_length = bundle.manifest.context_length
        self.name = "a-model"
        self.vocab = bundle.manifest.decoder.vocab if vocab is None else vocab
        self._engine = OnnxEngine.open(bundle, threads=1)
        self._running = threading.Lock()
        self._read: list[list[int]] = []
        """Prompts whose state would be kept."""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tokenized(self, text: str, *, is_special: bool) -> list[int]:
        """Ids of a text, with those of sentinels where they are to be found."""
        tokenizer, ids, plain = self.bundle.tokenizer, list[int](), ""
        special = {}
        if is_special:
            special = {tokenizer.token_of(id_): id_ for id_ in self.bundle.stop_ids}
        while text:
            found = next((one for one in special if text.startswith(one)), None)
            if found is None:
                plain, text = plain + text[0], text[1:]
                continue
            ids += [*tokenizer.encode(plain), special[found]]
            plain, text = "", text[len(found) :]
        return ids + tokenizer.encode(plain)

    def decode(self, handler: Handler, ids: Sequence[int], count: int) -> Iterator[Step]:
        """Greedy tokens, until the client goes away; the state counts them."""
        known = max((_common(ids, earlier) for earlier in self._read), default=0)
        self._read.append(list(ids))
        cached, answer = min(known, len(ids) - 1), list[int]()
        run = self._network(len(ids) + count)
        while len(answer) < count:
            while len(answer) >= self.num_free_tokens and not self.may_decode.wait(0.005):
                if handler.is_alone():
                    break
            if handler.is_alone():
                self.state.add(num_lost=1)
                self.may_stop.wait()
                return
            logprobs = run([*ids, *answer])
            answer.append(self._next_id(logprobs))
            self.state.add(num_tokens=1)
            yield Step(answer[-1], logprobs, cached, len(ids) - cached)

    def close(self) -> None:
        self._engine.close()

    def _next_id(self, logprobs: np.ndarray) -> int:
        if self.ends_answers:
            return int(logprobs.argmax())
        others = logprobs.copy()
        others[list(self.bundle.stop_ids)] = -np.inf
        return int(others.argmax())

    def _network(self, rows: int) -> Callable[[Sequence[int]], np.ndarray]:
        """Log-probabilities after ids that grow from call to call."""
        passes, done = self._engine.passes, 0
        text = passes.new_text(-(-rows // passes.row_step) * passes.row_step)

        def run(ids: Sequence[int]) -> np.ndarray:
            nonlocal done
            with self._running:
                while done < len(ids):
                    part = ids[done : done + passes.max_ids]
                    logits = passes.run(text, done, part)
                    done += len(part)
                row = passes.row(logits, 0)
            return row - log_total(row)

        return run


@dataclass(frozen=True)
class Step:
    """One token, as the dialects tell it."""

    id: int
    logprobs: np.ndarray
    cached: int
    read: int

    @property
    def logprob(self) -> float:
        return float(self.logprobs[self.id])

    def likeliest(self, count: int) -> list[tuple[int, float]]:
        ids = np.argsort(-self.logprobs)[:count].tolist()
        return [(id_, float(self.logprobs[id_])) for id_ in ids]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: _HttpServer
    body: dict[str, Any]

    def setup(self) -> None:
        super().setup()
        self.server.model.state.add(num_connections=1)

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self._answer(json.loads(self.rfile.read(size)))

    def _answer(self, body: dict[str, Any]) -> None:
        self.body = body
        model, state = self.server.model, self.server.model.state
        headers = {name.lower(): value for name, value in self.headers.items()}
        state.asked.append(Asked(self.path, headers, body))
        state.add(num_running=1)
        try:
            answer = model.misbehave.get(self.path) or PATHS.get(self.path, Handler.not_found)
            answer(self)
        except (BrokenPipeError, ConnectionResetError):
            state.add(num_lost=1)
            self.close_connection = True
        finally:
            state.add(num_running=-1)

    def log_message(self, format: str, *args: object) -> None:
        pass

    # What a handler can say

    def send_json(self, value: object, status: int = 200, **headers: str) -> None:
        self.send_text(json.dumps(value), status, "application/json", **headers)

    def send_text(
        self, text: str, status: int = 200, kind: str = "text/html", **headers: str
    ) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, text: str) -> None:
        content = text.encode()
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def send_event(self, value: object) -> None:
        self.send_chunk(f"data: {json.dumps(value)}\n\n")

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def cut_off(self) -> None:
        """Ends the connection at once, whatever was promised."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def is_alone(self) -> bool:
        """Tells whether the client has gone."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            return True

    def not_found(self) -> None:
        self.send_json({"error": {"code": 404}}, 404)

    # llama-server

    def props(self) -> None:
        model = self.server.model
        self.send_json(
            {
                "default_generation_settings": {"n_ctx": model.context_length},
                "total_slots": model.slots,
                "model_path": f"/models/{model.name}.gguf",
            }
        )

    def tokenize(self) -> None:
        text = self.body.get("content", self.body.get("prompt"))
        is_special = self.body.get("parse_special", True)
        self.send_json({"tokens": self.server.model.tokenized(text, is_special=is_special)})

    def slots(self) -> None:
        seeds = self.server.model.running_seeds
        idle = {"id": len(seeds), "is_processing": False, "params": {"seed": -1}}
        busy = [
            {"id": number, "is_processing": True, "params": {"seed": seed}}
            for number, seed in enumerate(seeds)
        ]
        self.send_json([*busy, idle])

    def completion(self) -> None:
        seeds, seed = self.server.model.running_seeds, self.body["seed"]
        seeds.append(seed)
        try:
            self._complete()
        except ConnectionError:  # the client has gone
            self.server.model.may_stop.wait()
            raise
        finally:
            seeds.remove(seed)

    def _complete(self) -> None:
        model, body = self.server.model, self.body
        self.begin_stream()
        kind = "limit"
        for step in model.decode(self, body["prompt"], body["n_predict"]):
            timings = {"cache_n": step.cached, "prompt_n": step.read}
            likeliest = step.likeliest(body["n_probs"])
            told = {
                "id": step.id,
                "logprob": step.logprob,
                "top_logprobs": [{"id": id_, "logprob": it} for id_, it in likeliest],
            }
            is_end = step.id == model.bundle.manifest.prompt.end
            content = "" if is_end else model.bundle.tokenizer.decode([step.id])
            self.send_event(
                {
                    "content": content,
                    "tokens": [step.id],
                    "stop": False,
                    "completion_probabilities": [told],
                    "timings": timings,
                }
            )
            if is_end:
                kind = "eos"
                break
        if self.is_alone():
            self.close_connection = True
            return
        self.send_event({"content": "", "tokens": [], "stop": True, "stop_type": kind})
        self.end_stream()

    # OpenAI's completions, with what vLLM adds to them

    def completions(self) -> None:
        model, body, tokenizer = self.server.model, self.body, self.server.model.bundle.tokenizer
        prompt = body["prompt"]
        of_ids = isinstance(prompt, list)
        ids = prompt if of_ids else model.tokenized(prompt, is_special=True)
        if not body.get("stream"):
            told = {"token_logprobs": [-0.5]} if "logprobs" in body else None
            self.send_json({"choices": [{"text": "x", "logprobs": told}]})
            return
        self.begin_stream()
        step = None
        for number, step in enumerate(model.decode(self, ids, body["max_tokens"]), 1):
            is_end = step.id in model.bundle.stop_ids
            finish = "stop" if is_end else "length" if number == body["max_tokens"] else None
            likeliest = step.likeliest(body["logprobs"])
            choice: dict[str, Any] = {
                "text": "" if is_end else tokenizer.decode([step.id]),
                "logprobs": {
                    "tokens": [f"token_id:{step.id}"],
                    "token_logprobs": [step.logprob],
                    "top_logprobs": [{f"token_id:{id_}": it for id_, it in likeliest}],
                },
                "finish_reason": finish,
            }
            if of_ids:
                choice["token_ids"] = [step.id]
            self.send_event({"model": model.name, "choices": [choice]})
            if is_end:
                break
        if step is None or self.is_alone():
            self.close_connection = True
            return
        details = {"cached_tokens": step.cached}
        usage = {"prompt_tokens": len(ids), "prompt_tokens_details": details}
        self.send_event({"choices": [], "usage": usage})
        self.send_chunk("data: [DONE]\n\n")
        self.end_stream()

    # Ollama

    def tags(self) -> None:
        name = f"{self.server.model.name}:latest"
        self.send_json({"models": [{"name": name, "model": name, "digest": "0" * 64}]})

    def show(self) -> None:
        tokenizer = self.server.model.bundle.tokenizer
        tokens = [tokenizer.token_of(id_) for id_ in range(tokenizer.size)]
        self.send_json({"model_info": {"tokenizer.ggml.tokens": tokens}, "capabilities": []})

    def generate(self) -> None:
        model, body = self.server.model, self.body
        ids = model.tokenized(body["prompt"], is_special=True)
        self.begin_stream()
        why = "length"
        for step in model.decode(self, ids, body["options"]["num_predict"]):
            if step.id in model.bundle.stop_ids:
                why = "stop"
                break
            text = model.bundle.tokenizer.decode([step.id])
            event = {"response": text, "done": False, "logprobs": [{"logprob": step.logprob}]}
            self.send_chunk(json.dumps(event) + "\n")
        if self.is_alone():
            self.close_connection = True
            return
        self.send_chunk(json.dumps({"response": "", "done": True, "done_reason": why}) + "\n")
        self.end_stream()

    # OpenAI's list of models, as llama-server and vLLM have it

    def models(self) -> None:
        model = self.server.model
        meta = {"n_vocab": model.vocab, "n_params": 1, "size": 1}
        row = {"id": model.name, "root": model.name, "max_model_len": model.context_length}
        self.send_json({"object": "list", "data": [{**row, "meta": meta}]})


PATHS: dict[str, Callable[[Handler], None]] = {
    "/props": Handler.props,
    "/tokenize": Handler.tokenize,
    "/completion": Handler.completion,
    "/slots": Handler.slots,
    "/v1/models": Handler.models,
    "/v1/completions": Handler.completions,
    "/api/tags": Handler.tags,
    "/api/show": Handler.show,
    "/api/generate": Handler.generate,
}


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    model: ModelServer

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
        self.connections: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def cut_off(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that went away is no error


@contextmanager
def serving(model: ModelServer, port: int = 0) -> Iterator[ModelServer]:
    """Serves until the block ends; connections that are open then are cut off."""
    server = _HttpServer(("127.0.0.1", port))
    server.model, model.port = model, server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield model
    finally:
        model.may_stop.set()
        server.shutdown()
        server.server_close()
        server.cut_off()
        thread.join()
        model.state.wait_for(lambda: not model.state.num_running)
        model.close()


REMOTE = ("llama-server", "vllm")
"""Engines that are servers and take ids."""
OF_TEXT = ("openai", "ollama")
"""Engines that are servers and take texts."""


@contextmanager
def behind_http(name: str, bundle: ModelBundle) -> Iterator[tuple[Engine, ModelServer]]:
    """An engine of this name, and the server of this process that runs the bundle for it."""
    with serving(ModelServer(bundle)) as server:
        engine = open_remote(name, bundle, server.url)
        try:
            yield engine, server
        finally:
            engine.close()


def open_remote(name: str, bundle: ModelBundle, url: str, **endpoint: Any) -> Engine:
    """The engine of this name, which asks a server."""
    options = EngineOptions(endpoint=Endpoint(url, **endpoint))
    return registry.open_named(name, bundle, options)
