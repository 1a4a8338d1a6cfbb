"""Golden prompts: what the authors of models show, character for character."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from model_runtime.prompt.encoder import (
    Hole,
    PromptBudget,
    PromptEncoder,
    PromptRequest,
    Snippet,
)
from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.orders import suffix_first
from model_runtime.prompt.published import PUBLISHED, published_format
from tests.support.made_tokenizers import made

AMPLE = PromptBudget(4000)
ALONE = PromptRequest(Hole("def P", "S\n"))
AMONG_OTHERS = PromptRequest(
    Hole("def P", "S\n"),
    "src/cur.py",
    (Snippet("b.py", "B = 2\n"), Snippet("a.py", "A = 1\n")),
    repository="NAME",
)


class Golden(NamedTuple):
    """Prompts of one format, with the texts of special tokens as they are."""

    kind: str
    alone: str
    among_others: str


GOLDEN = {
    "qwen2.5-coder": Golden(
        "byte-level",
        "<|fim_prefix|>def P<|fim_suffix|>S\n<|fim_middle|>",
        "<|repo_name|>NAME\n<|file_sep|>a.py\nA = 1\n<|file_sep|>b.py\nB = 2\n"
        "<|file_sep|>src/cur.py\n<|fim_prefix|>def P<|fim_suffix|>S\n<|fim_middle|>",
    ),
    "starcoder2": Golden(
        "byte-level",
        "<fim_prefix>def P<fim_suffix>S\n<fim_middle>",
        "<repo_name>NAME<file_sep>a.py\nA = 1\n<file_sep>b.py\nB = 2\n<file_sep>"
        "<fim_prefix>src/cur.py\ndef P<fim_suffix>S\n<fim_middle>",
    ),
    "deepseek-coder": Golden(
        "byte-level",
        "<｜begin▁of▁sentence｜><｜fim▁begin｜>def P<｜fim▁hole｜>S\n<｜fim▁end｜>",
        "<｜begin▁of▁sentence｜><｜fim▁begin｜>#a.py\nA = 1\n#b.py\nB = 2\n#src/cur.py\n"
        "def P<｜fim▁hole｜>S\n<｜fim▁end｜>",
    ),
    "codegemma": Golden(
        "gemma",
        "<bos><|fim_prefix|>def P<|fim_suffix|>S\n<|fim_middle|>",
        "<bos><|fim_prefix|># a.py\nA = 1\n# b.py\nB = 2\n# src/cur.py\n"
        "def P<|fim_suffix|>S\n<|fim_middle|>",
    ),
    "codellama": Golden(
        "llama",
        "<s> <PRE> def P <SUF>S\n <MID>",
        "<s> <PRE> # a.py\nA = 1\n# b.py\nB = 2\n# src/cur.py\ndef P <SUF>S\n <MID>",
    ),
    "codestral": Golden(
        "llama",
        "<s>[SUFFIX]S\n[PREFIX] def P",  # the blank is SentencePiece's own, before the prefix alone
        "<s>[SUFFIX]S\n[PREFIX] +++++ a.py\nA = 1\n+++++ b.py\nB = 2\n+++++ src/cur.py\ndef P",
    ),
    "mellum": Golden(
        "byte-level",
        "<fim_suffix>S\n<fim_prefix>def P<fim_middle>",
        "<filename>a.py\nA = 1\n<filename>b.py\nB = 2\n<filename>src/cur.py\n"
        "<fim_suffix>S\n<fim_prefix>def P<fim_middle>",
    ),
    "granite-code": Golden(
        "byte-level",
        "<fim_prefix>def P<fim_suffix>S\n<fim_middle>",
        "<fim_prefix># a.py\nA = 1\n# b.py\nB = 2\n# src/cur.py\ndef P<fim_suffix>S\n<fim_middle>",
    ),
    "stable-code": Golden(
        "byte-level",
        "<fim_prefix>def P<fim_suffix>S\n<fim_middle>",
        "<fim_prefix># a.py\nA = 1\n# b.py\nB = 2\n# src/cur.py\ndef P<fim_suffix>S\n<fim_middle>",
    ),
    "starcoder": Golden(
        "byte-level",
        "<fim_prefix>def P<fim_suffix>S\n<fim_middle>",
        "<fim_prefix><reponame>NAME<filename>a.py\nA = 1\n<filename>b.py\nB = 2\n"
        "<filename>src/cur.py\ndef P<fim_suffix>S\n<fim_middle>",
    ),
    "santacoder": Golden(
        "byte-level",
        "<fim-prefix>def P<fim-suffix>S\n<fim-middle>",
        "<fim-prefix># a.py\nA = 1\n# b.py\nB = 2\n# src/cur.py\ndef P<fim-suffix>S\n<fim-middle>",
    ),
    "granite-4": Golden(
        "byte-level",
        "<|fim_prefix|>def P<|fim_suffix|>S\n<|fim_middle|>",
        "<|fim_prefix|># a.py\nA = 1\n# b.py\nB = 2\n# src/cur.py\n"
        "def P<|fim_suffix|>S\n<|fim_middle|>",
    ),
    "glm-4.5": Golden(
        "byte-level",
        "<|code_prefix|>def P<|code_suffix|>S\n<|code_middle|>",
        "<|code_prefix|># a.py\nA = 1\n# b.py\nB = 2\n# src/cur.py\n"
        "def P<|code_suffix|>S\n<|code_middle|>",
    ),
    "aixcoder": Golden(
        "llama",
        "<s> <AIX-SPAN-PRE> <AIX-SPAN-POST>S\n <AIX-SPAN-MIDDLE>def P",
        "<s> <AIX-SPAN-PRE> <AIX-SPAN-POST>S\n <AIX-SPAN-MIDDLE># the file path is: a.py\nA = 1\n"
        "# the file path is: b.py\nB = 2\n# the file path is: src/cur.py\ndef P",
    ),
    "seed-coder": Golden(
        "byte-level",
        "<[fim-suffix]>S\n<[fim-prefix]>def P<[fim-middle]>",
        "<[fim-suffix]>S\n<[fim-prefix]><filename>a.py\nA = 1\n\n<filename>b.py\nB = 2\n\n"
        "<filename>src/cur.py\ndef P<[fim-middle]>",
    ),
}


def tokens_of(name: str) -> list[str]:
    """Returns the texts of all tokens that a published format names."""

    def strings(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            for one in value:
                yield from strings(one)

    raw = dict(PUBLISHED[name])
    raw.pop("stop_strings", None)
    context = raw.pop("context", {})
    return list(dict.fromkeys(strings([*raw.values(), *context.values()])))


@pytest.fixture(params=PUBLISHED)
def golden(request):
    """Returns an encoder of one published format, and what it should write."""
    found = GOLDEN[request.param]
    tokenizer = made(found.kind, tokens_of(request.param))
    return PromptEncoder(tokenizer, published_format(request.param, tokenizer.id_of)), found


def test_a_prompt_is_written_as_its_authors_show_it(golden):
    encoder, expected = golden

    assert expected.alone == encoder.tokenizer.decode(encoder.prompt(ALONE, AMPLE).ids)


def test_other_files_stand_where_their_authors_put_them(golden):
    encoder, expected = golden
    prompt = encoder.prompt(AMONG_OTHERS, AMPLE)

    assert expected.among_others == encoder.tokenizer.decode(prompt.ids)
    assert all(prompt.tokens_of_snippets)


def test_the_parts_are_counted(golden):
    encoder, _ = golden
    for request in (ALONE, AMONG_OTHERS):
        prompt = encoder.prompt(request, AMPLE)
        parts = prompt.prefix_tokens + prompt.suffix_tokens + prompt.snippet_tokens

        # A text that is encoded with a part is foreseen apart from it, too.
        assert 0 <= parts + encoder.fixed_tokens - len(prompt.ids) <= 1


def test_an_example_is_the_prompt_then_the_middle_then_end(golden):
    encoder, _ = golden
    found = encoder.example(ALONE, "self.name", 1000)
    room = 1000 - len(found.ids) + found.prompt_length

    assert encoder.prompt(ALONE, PromptBudget(room)).ids == found.ids[: found.prompt_length]
    middle = [*encoder.tokenizer.encode("self.name"), encoder.format.end]
    assert middle == found.ids[found.prompt_length :]


@pytest.mark.parametrize("most", [24, 60, 200])
def test_no_prompt_exceeds_its_budget(golden, most):
    encoder, _ = golden
    long = PromptRequest(
        Hole("    return self.value\n" * 60, "self\n" * 60), "cur.py", AMONG_OTHERS.snippets
    )

    assert len(encoder.prompt(long, PromptBudget(most)).ids) <= most


def test_a_model_that_always_names_the_file_names_it_alone_as_well():
    tokenizer = made("byte-level", tokens_of("mellum"))
    encoder = PromptEncoder(tokenizer, published_format("mellum", tokenizer.id_of))
    request = PromptRequest(Hole("P", "S"), "cur.py")

    assert "<filename>cur.py\n<fim_suffix>S<fim_prefix>P<fim_middle>" == tokenizer.decode(
        encoder.prompt(request, AMPLE).ids
    )


def test_a_header_is_left_out_where_the_projects_name_is_not_known():
    tokenizer = made("byte-level", tokens_of("qwen2.5-coder"))
    encoder = PromptEncoder(tokenizer, published_format("qwen2.5-coder", tokenizer.id_of))
    request = PromptRequest(Hole("P", "S"), "cur.py", (Snippet("a.py", "A"),))

    assert tokenizer.decode(encoder.prompt(request, AMPLE).ids).startswith("<|file_sep|>a.py\nA\n")


def test_published_formats_are_plain_json():
    for name, raw in PUBLISHED.items():
        assert raw == json.loads(json.dumps(raw)), name


def test_what_is_typed_changes_only_the_ids_that_spell_it(golden):
    """The blank of SentencePiece and other files in the prompt change nothing of that."""
    form = replace(golden[0].format, hole_start=HoleStart.LINE)
    encoder = PromptEncoder(golden[0].tokenizer, form)
    line = "    return self.name + value"
    texts = encoder.tokenizer.token_texts.texts
    fixed = set()
    for typed in range(len(line) + 1):
        hole = Hole(f"def P\n{line[:typed]}", "\nS\n")
        prompt = encoder.prompt(replace(AMONG_OTHERS, hole=hole), AMPLE)
        before = len(prompt.ids) - prompt.typed_tokens
        spelled = b"".join(texts[id_] for id_ in prompt.ids[before:]).decode()
        assert (line[:typed], HoleStart.LINE) == (spelled + prompt.forced_text, prompt.hole_start)
        fixed.add(tuple(prompt.ids[:before]))

    assert 1 == len(fixed)


def test_sentinels_whose_suffix_stands_last_also_ask_with_the_suffix_in_front():
    tokenizer = made("byte-level", tokens_of("qwen2.5-coder"))
    form = published_format("qwen2.5-coder", tokenizer.id_of)
    template = suffix_first(form.template)
    encoder = PromptEncoder(tokenizer, replace(form, template=template))

    assert (
        "<|repo_name|>NAME\n<|file_sep|>a.py\nA = 1\n<|file_sep|>b.py\nB = 2\n"
        "<|file_sep|>src/cur.py\n<|fim_prefix|><|fim_suffix|>S\n<|fim_middle|>def P"
    ) == tokenizer.decode(encoder.prompt(AMONG_OTHERS, AMPLE).ids)


@pytest.mark.parametrize("name", ["mellum", "seed-coder", "codestral", "codellama", "aixcoder"])
def test_other_formats_have_no_such_form(name):
    tokenizer = made("llama", tokens_of(name))

    assert suffix_first(published_format(name, tokenizer.id_of).template) is None
