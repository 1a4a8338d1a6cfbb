"""Requests over HTTP take the path that editors take: gate, cache, stop rules, filters, traces."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from fim_lsp.http.service import MAX_CLIENTS
from fim_lsp.settings import Settings
from tests.http.conftest import Serve
from tests.support.http_server import RunningServer

PREFIX = "def add(first, second):\n    return "
ENDLESS = 3600.0
"""Seconds that no test waits: a pause that ends when the engine is told to stop."""


def infill(server: RunningServer, prefix: str, suffix: str = "\n", **more: object):
    sent = {"input_prefix": prefix, "input_suffix": suffix, **more}
    response = server.post("/infill", sent)
    assert 200 == response.status_code, response.text
    return response.json()


def segments(path: str, user: str = "", prefix: str = PREFIX) -> dict[str, object]:
    return {"segments": {"prefix": prefix, "suffix": "\n", "filepath": path}, "user": user}


def until_asked(server: RunningServer, times: int) -> None:
    """Waits until the engine was asked so often."""
    while len(server.engine.prompts) < times:
        pass


def test_stop_rules_and_filters_end_the_answer(serve: Serve):
    server = serve("first + second\n\n\ndef sub(first, second):\n    return first - second\n")
    assert "first + second" == infill(server, PREFIX)["content"]


def test_closers_right_of_the_cursor_are_not_written_twice(serve: Serve):
    server = serve("first, second):\n    return 1\n")
    assert "first, second" == infill(server, "def add(", ")\n")["content"]


def test_an_improbable_answer_is_not_given_and_the_trace_says_why(serve: Serve):
    server = serve(logprob=-3.0)
    assert "" == infill(server, PREFIX)["content"]
    [trace] = server.traces()
    assert ("nothing", "lowConfidence") == (trace["outcome"], trace["reasonCode"])
    assert "fimLsp.eagerness" in trace["remedy"]


def test_eagerness_of_the_server_is_in_force(serve: Serve):
    server = serve(settings=Settings(eagerness=1.0), logprob=-3.0)
    assert infill(server, PREFIX)["content"].startswith("first")


@pytest.mark.parametrize(
    "path",
    [".env", "/home/me/project/.env", "keys/server.pem", "C:\\work\\id_rsa", "file:///w/.env",
     "generated/a.py"],
)  # fmt: skip
def test_a_secret_is_not_completed(path, serve: Serve):
    server = serve(settings=Settings(exclude=("generated/",)))
    answer = server.post("/v1/completions", segments(path)).json()
    assert "" == answer["choices"][0]["text"]
    assert [] == server.engine.prompts
    assert "excluded" == server.traces()[0]["reasonCode"]


def test_a_secret_in_a_templated_prompt_is_not_completed(serve: Serve):
    server = serve()
    prompt = "<|file_sep|>.env\n<|fim_prefix|>KEY=<|fim_suffix|>\n<|fim_middle|>"
    server.post("/v1/completions", {"prompt": prompt})
    assert "excluded" == server.traces()[0]["reasonCode"]


def test_other_files_reach_the_model_where_they_help_it_but_secrets_do_not(serve: Serve):
    server = serve(settings=Settings(cross_file_context=True))
    extra = [
        {"filename": "sums.py", "text": "def total(first, second):\n    return first + second\n"},
        {"filename": ".env", "text": "def hidden(first, second):\n    return 'secret'\n"},
    ]
    infill(server, PREFIX, input_extra=extra)
    [prompt] = map(server.model.tokenizer.decode, server.engine.prompts)
    assert "def total" in prompt
    assert "secret" not in prompt


def test_typing_through_an_answer_asks_no_model(serve: Serve):
    server = serve()
    assert "first + second" == infill(server, PREFIX)["content"]
    assert "st + second" == infill(server, f"{PREFIX}fir")["content"]
    assert 1 == len(server.engine.prompts)
    assert "cache" == server.traces()[0]["source"]


def test_each_request_has_one_trace(serve: Serve):
    server = serve()
    for number in range(3):
        infill(server, f"a{number} = ")
    assert [3, 2, 1] == [trace["number"] for trace in server.traces()]
    assert 1 == len(server.get("/v1/traces?limit=1").json()["traces"])


def test_the_newest_request_of_a_client_for_a_file_wins(serve: Serve):
    server = serve(token_seconds=ENDLESS)
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(server.post, "/v1/completions", segments("src/a.py", "me"))
        until_asked(server, 1)
        server.engine.token_seconds = 0.0
        new = server.post("/v1/completions", segments("src/a.py", "me", "x = "))
        assert [{"index": 0, "text": ""}] == old.result().json()["choices"]
    assert [{"index": 0, "text": "first + second"}] == new.json()["choices"]
    assert ["shown", "superseded"] == [trace["outcome"] for trace in server.traces()]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (segments("src/a.py", "me"), segments("src/b.py", "me", "x = ")),
        (segments("src/a.py", "me"), segments("src/a.py", "you", "x = ")),
        (segments("src/a.py"), segments("src/a.py", "", "x = ")),
        (segments("", "me"), segments("", "me", "x = ")),
    ],
    ids=["another file", "another client", "no client", "no file"],
)
def test_requests_of_which_none_replaces_another_are_both_answered(one, other, serve: Serve):
    server = serve(token_seconds=0.01)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda sent: server.post("/v1/completions", sent), (one, other)))
    assert ["first + second"] * 2 == [one.json()["choices"][0]["text"] for one in answers]


def test_a_client_that_asks_three_times_at_once_gets_three_answers(serve: Serve):
    server = serve(token_seconds=0.01)
    sent = {"prompt": PREFIX, "suffix": "\n"}
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: server.post("/v1/completions", sent), range(3)))
    assert ["first + second"] * 3 == [one.json()["choices"][0]["text"] for one in answers]


def test_more_clients_than_are_kept_are_all_answered(serve: Serve):
    server = serve()
    users = [f"user {number}" for number in range(2 * MAX_CLIENTS)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda user: server.post("/v1/completions", segments("a.py", user)), users)
        )
    assert {"first + second"} == {one.json()["choices"][0]["text"] for one in answers}
    assert len(users) == len(server.engine.prompts)


def test_several_answers_are_a_list_of_different_ones_best_first(serve: Serve):
    texts = iter(["first + second", "first - second", "first + second", "first * second"])
    server = serve(lambda _: next(texts))
    answer = infill(server, PREFIX, n_cmpl=3)
    assert [0, 1, 2] == [one["index"] for one in answer]
    assert ["first + second", "first - second", "first * second"] == [
        one["content"] for one in answer
    ]


def test_the_limits_of_a_client_are_in_force(serve: Serve):
    server = serve("one + two + three + four + five + six + seven + eight")
    whole = infill(server, "x = ")["content"]
    few = infill(server, "y = ", n_predict=4)
    assert whole.startswith(few["content"]) and len(few["content"]) < len(whole)
    assert ("limit", 4) == (few["stop_type"], few["tokens_predicted"])
    assert "one + two + " == infill(server, "z = ", stop=["three"])["content"] + " "
    stopped = infill(server, "z1 = ", stop=["three"])
    assert "word" == stopped["stop_type"]


def test_a_time_limit_ends_the_answer_at_a_word(serve: Serve):
    server = serve("first + second + third", token_seconds=0.05)
    answer = infill(server, "x = ", t_max_predict_ms=1)
    assert answer["content"] in ("first", "first +")
    assert "eos" == answer["stop_type"]


def test_lines_that_are_indented_less_than_the_client_wants_are_left_out(serve: Serve):
    server = serve("{\n        first\n    }\n", settings=Settings(multiline="always"))
    assert "{\n        first" == infill(server, "    x = ", n_indent=8)["content"]


def test_fields_are_lifted_by_slashes(serve: Serve):
    wanted = ["content", "timings/predicted_n", "timings/nothing", "nothing", "truncated"]
    answer = infill(serve(), PREFIX, response_fields=wanted)
    assert {"content": "first + second", "timings/predicted_n": 4, "truncated": False} == answer


def test_text_becomes_ids_and_ids_become_text(server: RunningServer):
    text = "def add(a): <|x|>\n"
    ids = server.post("/tokenize", {"content": text}).json()["tokens"]
    assert server.model.tokenizer.encode(text) == ids
    assert text == server.post("/detokenize", {"tokens": ids}).json()["content"]
    [piece, *_] = server.post("/tokenize", {"content": text, "with_pieces": True}).json()["tokens"]
    assert {"id": ids[0], "piece": "def"} == piece


def test_a_prompt_of_ids_is_the_prompt_of_their_text(serve: Serve):
    server = serve()
    model = server.model
    special = sorted(model.encoder.format.sentinels)
    ids = [special[0], *model.tokenizer.encode("\n"), special[1], *model.tokenizer.encode(PREFIX)]
    ids.append(special[2])
    sent = {"prompt": model.tokenizer.encode(PREFIX)}
    assert "first + second" == server.post("/completion", sent).json()["content"]
    mixed = {"prompt": [*model.tokenizer.encode("x "), "= "]}
    assert "first + second" == server.post("/completion", mixed).json()["content"]
    assert "x = " in model.tokenizer.decode(server.engine.prompts[-1])


def test_a_client_learns_which_model_answers(server: RunningServer):
    assert "ok" == server.get("/health").json()["status"]
    assert "scripted" == server.get("/v1/health").json()["model"]
    props = server.get("/props").json()
    assert 2048 == props["default_generation_settings"]["n_ctx"]
    assert "is running" in server.get("/").text


def test_nothing_is_learned_of_documents_over_http(serve: Serve):
    """Lines of one client must not be suggested to another one."""
    server = serve("")
    line = "secret_total = first + second + third_of_all\n"
    for path in ("a.py", "b.py"):
        text = line * 3 + "secret_total = "
        server.post("/v1/completions", segments(path, "me", text))
    answer = server.post("/v1/completions", segments("c.py", "me", "secret_total = ")).json()
    assert "" == answer["choices"][0]["text"]
