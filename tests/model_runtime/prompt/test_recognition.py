"""Formats are known by the tokens that a tokenizer owns, and by what the config says."""

import pytest

from model_runtime.prompt.published import PUBLISHED
from model_runtime.prompt.recognition import recognized_formats
from tests.model_runtime.prompt.test_published import tokens_of
from tests.support.made_tokenizers import made

STARCODER_TOKENS = (
    *("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>"),
    *("<filename>", "<gh_stars>", "<reponame>"),
)
"""Special tokens of StarCoder's tokenizer, which Granite Code and Mellum have taken over."""
QWEN_TOKENS = (*tokens_of("qwen2.5-coder"), "<|im_start|>", "<|vision_start|>")
AMBIGUOUS = {"granite-code", "starcoder", "mellum"}


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - AMBIGUOUS))
def test_a_format_is_recognized_by_its_own_tokens(name):
    kind = "llama" if any(token.startswith("▁") for token in tokens_of(name)) else "byte-level"
    tokenizer = made(kind, tokens_of(name))

    assert (name,) == recognized_formats(tokenizer, {"model_type": "llama"})


@pytest.mark.parametrize(
    ("tokens", "model_type", "expected"),
    [
        (QWEN_TOKENS, "qwen2", {"qwen2.5-coder"}),
        (STARCODER_TOKENS, "gpt_bigcode", {"starcoder"}),
        (STARCODER_TOKENS, "llama", {"granite-code", "mellum"}),
        (STARCODER_TOKENS[:5], "llama", {"granite-code"}),
        ((*STARCODER_TOKENS[:5], "<file_sep>", "<repo_name>"), "starcoder2", {"starcoder2"}),
        ((*STARCODER_TOKENS[:5], "<file_sep>"), "stablelm", {"stable-code"}),
        (("<s>", "</s>"), "llama", set()),
    ],
)
def test_tokens_that_several_families_share_are_told_apart_where_they_can_be(
    tokens, model_type, expected
):
    tokenizer = made("byte-level", tokens)

    assert expected == set(recognized_formats(tokenizer, {"model_type": model_type}))
