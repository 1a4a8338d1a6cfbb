"""Prompts that clients wrote for other families of models are taken apart."""

import pytest

from fim_lsp.http.errors import ApiError
from fim_lsp.http.query import OtherFile
from fim_lsp.http.templated_prompt import PromptParts, taken_apart
from model_runtime.prompt.published import PUBLISHED

PROMPTS = {
    "qwen": ("<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>", PromptParts("P", "S")),
    "qwen, repository": (
        "<|repo_name|>NAME\n<|file_sep|>a.py\nCONTENT\n<|file_sep|>cur.py\n"
        "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
        PromptParts("P", "S", (OtherFile("a.py", "CONTENT\n"),), "cur.py"),
    ),
    "starcoder": ("<fim_prefix>P<fim_suffix>S<fim_middle>", PromptParts("P", "S")),
    "starcoder2, repository": (
        "<repo_name>NAME<file_sep>a.py\nCONTENT<file_sep>"
        "<fim_prefix>cur.py\nP<fim_suffix>S<fim_middle>",
        PromptParts("P", "S", (OtherFile("a.py", "CONTENT"),), "cur.py"),
    ),
    "mellum": (
        "<filename>a.py\nCONTENT<filename>b.py\nMORE<filename>cur.py\n"
        "<fim_suffix>S<fim_prefix>P<fim_middle>",
        PromptParts("P", "S", (OtherFile("a.py", "CONTENT"), OtherFile("b.py", "MORE")), "cur.py"),
    ),
    "seed-coder": (
        "<[fim-suffix]>S<[fim-prefix]><filename>a.py\nCONTENT\n\n<filename>cur.py\nP<[fim-middle]>",
        PromptParts("P", "S", (OtherFile("a.py", "CONTENT\n\n"),), "cur.py"),
    ),
    "codestral": ("[SUFFIX]S[PREFIX]P", PromptParts("P", "S")),
    "codestral, files": (
        "<s>[SUFFIX]S[PREFIX]+++++ a.py\nx = 1\n+++++ cur.py\nP",
        PromptParts("P", "S", (OtherFile("a.py", "x = 1\n"),), "cur.py"),
    ),
    "codellama": ("<PRE> P <SUF>S <MID>", PromptParts("P", "S")),
    "codellama, spm": ("<PRE> <SUF>S <MID>P", PromptParts("P", "S")),
    "santacoder": ("<fim-prefix>P<fim-suffix>S<fim-middle>", PromptParts("P", "S")),
    "deepseek": ("<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>", PromptParts("P", "S")),
    "glm": ("<|code_prefix|>P<|code_suffix|>S<|code_middle|>", PromptParts("P", "S")),
    "aixcoder": (
        "▁<AIX-SPAN-PRE>▁<AIX-SPAN-POST>S▁<AIX-SPAN-MIDDLE>P".replace("▁", ""),
        PromptParts("P", "S"),
    ),
    "an answer that is begun": (
        "<fim_prefix>P<fim_suffix>S<fim_middle>begun",
        PromptParts("Pbegun", "S"),
    ),
    "blanks around the hole": (
        "<fim_prefix>return <fim_suffix> # S<fim_middle>",
        PromptParts("return ", " # S"),
    ),
    "nothing before and behind": (
        "<|fim_prefix|><|fim_suffix|><|fim_middle|>",
        PromptParts("", ""),
    ),
    "no sentinels": ("def f(x):\n    ", PromptParts("def f(x):\n    ")),
    "words in brackets": ("names = [PREFIX]", PromptParts("names = [PREFIX]")),
}
WRONG = [
    "<fim_prefix>P",
    "<fim_prefix>P<fim_suffix>S",
    "<fim_middle><fim_prefix>P<fim_suffix>S",
    "<fim_prefix>P<fim_middle><fim_suffix>S",
    "<fim_prefix>P<fim_suffix>S<fim_suffix>S<fim_middle>",
    "<|fim_suffix|>S<|fim_middle|><|fim_prefix|>P",
]


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_is_taken_apart(name):
    prompt, parts = PROMPTS[name]
    assert parts == taken_apart(prompt)


@pytest.mark.parametrize("prompt", WRONG)
def test_sentinels_that_no_model_knows_so_are_refused(prompt):
    with pytest.raises(ApiError) as caught:
        taken_apart(prompt)
    assert 400 == caught.value.status


@pytest.mark.parametrize("family", PUBLISHED)
def test_the_bare_prompt_of_every_published_family_is_taken_apart(family):
    slots = {"prefix": "P", "suffix": "S", "context": "", "own_file": ""}
    # Of SentencePiece's tokens the blank is written; ids need one where a text needs none.
    has_blanks = any("▁<" in piece for piece in PUBLISHED[family]["template"])
    prompt = ""
    for piece in PUBLISHED[family]["template"]:
        if isinstance(piece, str):
            prompt += piece.replace("▁<", " <")
        elif "slot" in piece:
            prompt += slots[piece["slot"]]
        elif has_blanks:
            prompt += piece["text"]
    assert PromptParts("P", "S") == taken_apart(prompt.removeprefix(" "))
