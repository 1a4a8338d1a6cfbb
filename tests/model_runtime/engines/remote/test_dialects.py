"""Each dialect gives what an engine of this process gives, and asks for it in the server's way."""

import threading
from dataclasses import replace

import pytest

from model_runtime.decoding.generate import Finish, generate_text
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import SamplingParams
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptEncoder, PromptRequest
from model_runtime.prompt.format import HoleStart
from tests.support.model_server import OF_TEXT, REMOTE

ALL = (*REMOTE, *OF_TEXT)
PREFIX, SUFFIX = "import os\n\n\ndef area(width, height):\n", "\n    return None\n"
GREEDY = SamplingParams(max_tokens=6, stop_ids=frozenset())
LONG = SamplingParams(max_tokens=200, stop_ids=frozenset())
TYPED = {
    "a word that is begun": "    return val",
    "what no model expects": "zq!! ]] ;;; Xyzzy--+",
    "emoji": "print('👩‍👩‍👧 🙂",
    "white space alone": "        ",
    "one character": "x",
    "text that spells a sentinel": "s = '<|MID|>",
}


@pytest.fixture(scope="session")
def local(bundle):
    engine = OnnxEngine.open(bundle, threads=1)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def prompt_of(bundle):
    """A function from what is typed on a line to its prompt."""
    form = replace(bundle.manifest.prompt, hole_start=HoleStart.LINE)
    encoder = PromptEncoder(bundle.tokenizer, form)

    def make(typed):
        return encoder.prompt(PromptRequest(Hole(PREFIX + typed, SUFFIX)), PromptBudget(300))

    return make


@pytest.mark.parametrize("name", ALL)
def test_an_answer_is_that_of_an_engine_here(name, open_engine, local, bundle, prompt_of):
    prompt = prompt_of("").ids
    ours, theirs = (
        generate_text(engine, bundle.tokenizer, prompt, GREEDY)
        for engine in (local, open_engine(name))
    )

    assert ours.text == theirs.text
    assert ours.logprobs == pytest.approx(theirs.logprobs[: len(ours.logprobs)], abs=1e-3)
    assert ours.finish is theirs.finish


@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED.keys())
@pytest.mark.parametrize("name", ALL)
def test_an_answer_goes_on_from_what_is_typed(name, open_engine, bundle, prompt_of, typed):
    prompt, engine = prompt_of(typed), open_engine(name)
    forced = bundle.tokenizer.forced(prompt.forced_text)
    with engine.generate(prompt.ids, GREEDY, None, forced) as stream:
        ids = [token.id for token in stream]
    written = b"".join(bundle.tokenizer.token_texts.texts[id_] for id_ in ids)

    assert written.startswith(prompt.forced_text.encode())
    assert 6 <= len(ids) or bundle.manifest.prompt.end == ids[-1]


def test_the_likeliest_agreeing_id_is_found_among_those_that_are_told(
    open_engine, local, bundle, prompt_of
):
    """Both follow one spelling where the text that is left has one id or none before its end."""
    prompt, sampling = prompt_of("x"), replace(GREEDY, stop_ids=bundle.stop_ids)
    ours, theirs = (
        generate_text(
            engine, bundle.tokenizer, prompt.ids, sampling, forced_text=prompt.forced_text
        )
        for engine in (local, open_engine())
    )

    assert (ours.text, ours.forced_tokens) == (theirs.text, theirs.forced_tokens)


@pytest.mark.parametrize("name", ALL)
def test_the_answer_ends_with_end_where_the_model_ends_it(name, open_engine, bundle, prompt_of):
    """The vocabulary is all stop ids, so the first one that comes ends the answer."""
    everything = frozenset(range(bundle.tokenizer.size))
    found = generate_text(
        open_engine(name), bundle.tokenizer, prompt_of("").ids, replace(GREEDY, stop_ids=everything)
    )

    assert (Finish.END, "", 1) == (found.finish, found.text, found.tokens)


@pytest.mark.parametrize("name", REMOTE)
def test_a_server_says_what_it_had_read_before(name, open_engine, server, prompt_of):
    engine, prompt = open_engine(name), prompt_of("").ids
    for cached in (0, len(prompt) - 1):
        with engine.generate(prompt, GREEDY) as stream:
            assert len(list(stream)) == 6
        assert (cached, len(prompt) - cached) == (stream.cached_tokens, stream.counts.read)


def test_a_connection_serves_the_next_request_as_well(open_engine, server, prompt_of):
    engine = open_engine()
    list(engine.generate(prompt_of("").ids, GREEDY))
    before = server.state.num_connections
    for _ in range(3):
        assert len(list(engine.generate(prompt_of("").ids, GREEDY))) == 6

    assert before == server.state.num_connections


@pytest.mark.parametrize("name", ALL)
def test_leaving_the_stream_ends_the_decoding_at_the_server(name, open_engine, server, prompt_of):
    server.num_free_tokens = 1
    server.may_decode.clear()
    with open_engine(name).generate(prompt_of("").ids, LONG) as stream:
        next(stream)

    server.state.wait_for(lambda: server.state.num_lost == 1 and not server.state.num_running)
    assert 1 == server.state.num_tokens


@pytest.mark.parametrize("name", ALL)
def test_cancelling_ends_a_request_whose_prompt_is_still_being_read(
    name, open_engine, server, prompt_of
):
    engine, cancel = open_engine(name), threading.Event()
    server.may_decode.clear()
    taken = []
    stream = engine.generate(prompt_of("").ids, GREEDY, cancel)
    reader = threading.Thread(target=lambda: taken.extend(stream))
    reader.start()
    server.state.wait_for(lambda: server.state.prompts)
    cancel.set()
    reader.join()

    assert [] == taken
    server.state.wait_for(lambda: server.state.num_lost == 1)


def test_requests_run_side_by_side(open_engine, server, prompt_of):
    engine = open_engine()
    prompts = [prompt_of("").ids, prompt_of("    if x").ids]
    alone = [[token.id for token in engine.generate(prompt, GREEDY)] for prompt in prompts]
    server.num_free_tokens = 1
    server.may_decode.clear()
    streams = [engine.generate(prompt, LONG) for prompt in prompts]
    first = [next(stream).id for stream in streams]

    assert 2 == engine.max_concurrency == server.state.num_running
    server.may_decode.set()
    for ids, id_, stream in zip(alone, first, streams, strict=True):
        assert ids == [id_, *(next(stream).id for _ in range(5))]
        stream.close()


@pytest.mark.parametrize("name", ALL)
def test_sampling_is_asked_for_where_it_is_wanted(name, open_engine, server, prompt_of):
    engine = open_engine(name)
    for sampling in (GREEDY, replace(GREEDY, temperature=0.8, top_p=0.9, seed=3)):
        list(engine.generate(prompt_of("").ids, sampling))
    greedy, sampled = ({**it.body, **it.body.get("options", {})} for it in server.state.prompts)

    assert 0 == greedy["temperature"]
    assert (0.8, 0.9, 3) == tuple(sampled[key] for key in ("temperature", "top_p", "seed"))


@pytest.mark.parametrize("name", OF_TEXT)
def test_a_text_for_a_server_without_ids_has_sentinels_of_the_format_alone(
    name, open_engine, server, bundle, prompt_of
):
    prompt = prompt_of("s = '<|MID|>'; other = '<|MID|>'; total = width * height").ids
    list(open_engine(name).generate(prompt, GREEDY))
    sent = server.state.prompts[0].body["prompt"]
    specials = [bundle.tokenizer.token_of(id_) for id_ in bundle.manifest.prompt.sentinels]

    assert [1] * len(specials) == [sent.count(special) for special in specials]
    assert "< |MID|>" in sent


def test_no_more_stop_strings_are_sent_than_openai_takes(open_engine, server, prompt_of):
    list(open_engine("openai").generate(prompt_of("").ids, GREEDY))

    assert 0 < len(server.state.prompts[0].body["stop"]) <= 4


def test_the_key_is_sent_and_stands_in_no_log(open_engine, server, prompt_of, monkeypatch, caplog):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    caplog.set_level("DEBUG")
    list(open_engine("openai", key_variable="MY_KEY").generate(prompt_of("").ids, GREEDY))

    assert {"Bearer sk-very-secret"} == {
        one.headers.get("authorization") for one in server.state.asked
    }
    assert "very-secret" not in caplog.text


def test_a_server_that_fails_when_asked_for_probabilities_is_not_asked(
    open_engine, server, prompt_of
):
    def completions(handler):
        if "logprobs" in handler.body:
            handler.send_json({"error": "no logits"}, 500)
        elif handler.body.get("stream"):
            handler.begin_stream()
            handler.send_event({"choices": [{"text": "a", "finish_reason": None}]})
            handler.send_event({"choices": [{"text": "", "finish_reason": "stop"}]})
            handler.send_chunk("data: [DONE]\n\n")
            handler.end_stream()
        else:
            handler.send_json({"choices": [{"text": "x"}]})

    server.misbehave["/v1/completions"] = completions
    engine = open_engine("openai")

    assert not engine.has_probabilities
    assert [0.0, 0.0] == [token.logprob for token in engine.generate(prompt_of("").ids, GREEDY)]
