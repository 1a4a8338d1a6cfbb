"""Formats as the authors of models publish them, by family; whoever adds a model may name one.

Each is the JSON of a `PromptFormat` with the texts of tokens in place of their ids.  None of them
states where the hole begins: that is measured for each model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from model_runtime.errors import shown
from model_runtime.prompt.format import PromptFormat

_PREFIX, _SUFFIX = {"slot": "prefix"}, {"slot": "suffix"}
_CONTEXT, _OWN = {"slot": "context"}, {"slot": "own_file"}
_HEAD = (_CONTEXT, _OWN, _PREFIX)
"""Other files at the head of the prefix."""
_PATH, _CONTENT = {"slot": "path"}, {"slot": "content"}
_REPOSITORY, _LINE_END, _SPACE = {"slot": "repository"}, {"text": "\n"}, {"text": " "}


_UNDERSCORES = ["<fim_prefix>", *_HEAD, "<fim_suffix>", _SUFFIX, "<fim_middle>"]
_AIX_HEADER = [{"text": "# the file path is: "}, _PATH, _LINE_END]


def _with_file_token(token: str, **more: Any) -> dict[str, Any]:
    return {
        "file": [token, _PATH, _LINE_END, _CONTENT, _LINE_END],
        "own_file": [token, _PATH, _LINE_END],
        **more,
    }


def _with_header(mark: str) -> dict[str, Any]:
    """Returns the form in which a line of plain text names each file."""
    header = [{"text": mark}, _PATH, _LINE_END]
    return {"file": [*header, _CONTENT, _LINE_END], "own_file": header}


PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    # QwenLM/Qwen2.5-Coder, README and examples/Qwen2.5-Coder-repolevel-fim.py
    "qwen2.5-coder": {
        "template": [
            *(_CONTEXT, _OWN, "<|fim_prefix|>", _PREFIX),
            *("<|fim_suffix|>", _SUFFIX, "<|fim_middle|>"),
        ],
        "end": "<|endoftext|>",
        "pad": "<|fim_pad|>",
        "other_stops": ["<|im_end|>"],
        "context": _with_file_token(
            "<|file_sep|>", repository=["<|repo_name|>", _REPOSITORY, _LINE_END]
        ),
    },
    # arXiv:2402.19173, section 5.1
    "starcoder2": {
        "template": [
            *(_CONTEXT, "<fim_prefix>", _OWN, _PREFIX),
            *("<fim_suffix>", _SUFFIX, "<fim_middle>"),
        ],
        "end": "<|endoftext|>",
        "context": {
            "repository": ["<repo_name>", _REPOSITORY],
            "file": ["<file_sep>", _PATH, _LINE_END, _CONTENT, _LINE_END],
            "closing": ["<file_sep>"],
            "own_file": [_PATH, _LINE_END],
        },
    },
    # deepseek-ai/DeepSeek-Coder, README
    "deepseek-coder": {
        "template": ["<｜fim▁begin｜>", *_HEAD, "<｜fim▁hole｜>", _SUFFIX, "<｜fim▁end｜>"],
        "bos": "<｜begin▁of▁sentence｜>",
        "end": "<｜end▁of▁sentence｜>",
        "context": _with_header("#"),
    },
    # ai.google.dev/gemma/docs/codegemma/prompt-structure
    "codegemma": {
        "template": ["<|fim_prefix|>", *_HEAD, "<|fim_suffix|>", _SUFFIX, "<|fim_middle|>"],
        "bos": "<bos>",
        "end": "<|file_separator|>",
        "other_stops": ["<eos>"],
    },
    # arXiv:2308.12950 and its code: the prefix has the blank of SentencePiece, the suffix has not
    "codellama": {
        "template": ["▁<PRE>", _SPACE, *_HEAD, "▁<SUF>", _SUFFIX, "▁<MID>"],
        "bos": "<s>",
        "end": "▁<EOT>",
        "other_stops": ["</s>"],
    },
    # mistralai/mistral-common, encode_fim: no middle sentinel, and blanks as with CodeLlama
    "codestral": {
        "template": ["[SUFFIX]", _SUFFIX, "[PREFIX]", _SPACE, *_HEAD],
        "bos": "<s>",
        "end": "</s>",
        "stop_strings": ["\n+++++ "],
        "context": _with_header("+++++ "),
    },
    # JetBrains/Mellum-4b-base, model card; arXiv:2510.05788
    "mellum": {
        "template": [
            *(_CONTEXT, _OWN, "<fim_suffix>", _SUFFIX),
            *("<fim_prefix>", _PREFIX, "<fim_middle>"),
        ],
        "end": "<|endoftext|>",
        "context": _with_file_token("<filename>", names_lone_file=True),
    },
    # ibm-granite/granite-3b-code-base, model card; Refact and CodeQwen1.5 are prompted alike
    "granite-code": {"template": _UNDERSCORES, "end": "<|endoftext|>"},
    # stabilityai/stable-code-3b, model card
    "stable-code": {
        "template": _UNDERSCORES,
        "end": "<|endoftext|>",
        "other_stops": ["<file_sep>"],
    },
    # bigcode/starcoder, model card; arXiv:2305.06161, section 5.1, for names of files
    "starcoder": {
        "template": _UNDERSCORES,
        "end": "<|endoftext|>",
        "context": _with_file_token("<filename>", repository=["<reponame>", _REPOSITORY]),
    },
    # bigcode/santacoder, model card: hyphens in place of underscores
    "santacoder": {
        "template": ["<fim-prefix>", *_HEAD, "<fim-suffix>", _SUFFIX, "<fim-middle>"],
        "end": "<|endoftext|>",
    },
    # ibm.com/granite/docs/models/granite, fill-in-the-middle; continuedev/continue
    "granite-4": {
        "template": ["<|fim_prefix|>", *_HEAD, "<|fim_suffix|>", _SUFFIX, "<|fim_middle|>"],
        "end": "<|end_of_text|>",
        "pad": "<|fim_pad|>",
    },
    # zed-industries/zed, edit prediction with GLM-4.5
    "glm-4.5": {
        "template": ["<|code_prefix|>", *_HEAD, "<|code_suffix|>", _SUFFIX, "<|code_middle|>"],
        "end": "<|endoftext|>",
        "other_stops": ["<|user|>"],
    },
    # aixcoder-plugin/aiXcoder-7B, hf_mini/utils.py: the path stands in a comment
    "aixcoder": {
        "template": [
            *("▁<AIX-SPAN-PRE>", "▁<AIX-SPAN-POST>", _SUFFIX),
            *("▁<AIX-SPAN-MIDDLE>", *_HEAD),
        ],
        "bos": "<s>",
        "end": "</s>",
        "context": {
            "file": [*_AIX_HEADER, _CONTENT, _LINE_END],
            "own_file": _AIX_HEADER,
            "names_lone_file": True,
        },
    },
    # ggml-org/llama.cpp, pull request 17900
    "seed-coder": {
        "template": ["<[fim-suffix]>", _SUFFIX, "<[fim-prefix]>", *_HEAD, "<[fim-middle]>"],
        "end": "<[end▁of▁sentence]>",
        "stop_strings": ["<filename>"],
        "context": {
            "file": [{"text": "<filename>"}, _PATH, _LINE_END, _CONTENT, {"text": "\n\n"}],
            "own_file": [{"text": "<filename>"}, _PATH, _LINE_END],
        },
    },
}

MODEL_TYPES: Mapping[str, frozenset[str]] = {
    "starcoder": frozenset({"gpt_bigcode", "starcoder"}),
    "mellum": frozenset({"llama", "mellum"}),
}
"""The values of `model_type` with which a format has been published, where its tokens alone do not
tell it from others: StarCoder's tokenizer has been taken over by Granite Code and Mellum.
"""


def published_format(name: str, id_of: Callable[[str], int | None]) -> PromptFormat:
    """Returns a published format with the ids that a tokenizer gives its tokens.

    Raises:
        ValueError: there is no such format, or the tokenizer lacks a token of it.
    """
    if name not in PUBLISHED:
        raise ValueError(
            f"the prompt format {shown(name)} is not one of {', '.join(sorted(PUBLISHED))}"
        )
    return PromptFormat.from_json(PUBLISHED[name], id_of)
