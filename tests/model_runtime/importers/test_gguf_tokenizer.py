"""Tokenizers that are rebuilt from GGUF keys give the ids of the originals."""

import json
from pathlib import Path

import pytest
from gguf import TokenType
from tokenizers import (
    SentencePieceBPETokenizer,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    trainers,
)

from model_runtime.errors import GgufError
from model_runtime.exporters.gguf_vocabulary import gguf_vocabulary
from model_runtime.importers.gguf_tokenizer import tokenizer_from_gguf
from model_runtime.prompt.pre_tokenizers import PATTERNS, pre_tokenizer
from tests.support.requirements import required_module

SOURCES = sorted(Path(__file__).parent.glob("*.py"))
TEXTS = [path.read_text("utf-8") for path in SOURCES] + [
    "x = 1234567 + 0xFF\r\n\tname_2 = 'straße'   # 数字 it's\n\n    \n  end",
    'fn main() {\n\tprintln!("{:?}", vec![1, 2]);\n}\n',
]


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory) -> tuple[Tokenizer, dict[str, object]]:
    """A tokenizer that splits as Qwen2's does, and the keys that its export has."""
    original = Tokenizer(models.BPE())
    original.pre_tokenizer = pre_tokenizer(PATTERNS["qwen2"])
    original.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet)
    original.train_from_iterator(TEXTS, trainer)
    original.add_special_tokens(["<|end|>", "<|middle|>"])
    original.encode_special_tokens = True
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    original.save(str(path))
    exported = gguf_vocabulary(path, original.get_vocab_size() + 3)
    return original, {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": exported.pre_tokenizer,
        "tokenizer.ggml.tokens": exported.tokens,
        "tokenizer.ggml.token_type": [int(kind) for kind in exported.types],
        "tokenizer.ggml.merges": exported.merges,
    }


@pytest.fixture(scope="module")
def sentencepiece() -> tuple[Tokenizer, dict[str, object]]:
    """A tokenizer in SentencePiece's way, and the keys that a converter would write for it."""
    original = SentencePieceBPETokenizer(add_prefix_space=True)
    original.train_from_iterator(TEXTS, vocab_size=600, special_tokens=["<unk>", "<s>"])
    raw = json.loads(original.to_str())
    tokens = sorted(raw["model"]["vocab"], key=raw["model"]["vocab"].get)
    merged = ["".join(merge) for merge in raw["model"]["merges"]]
    ranks = {token: rank for rank, token in reversed(list(enumerate(merged)))}
    kinds = {"<unk>": TokenType.UNKNOWN, "<s>": TokenType.CONTROL}
    plain = Tokenizer.from_str(original.to_str())
    plain.encode_special_tokens = True
    return plain, {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [int(kinds.get(token, TokenType.NORMAL)) for token in tokens],
        "tokenizer.ggml.scores": [float(-ranks.get(token, 0)) for token in tokens],
    }


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece"])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_ids_are_those_of_the_original(kind, text, request):
    original, keys = request.getfixturevalue(kind)
    rebuilt = tokenizer_from_gguf(keys)
    rebuilt.encode_special_tokens = True

    ids = original.encode(text, add_special_tokens=False).ids
    assert ids == rebuilt.encode(text, add_special_tokens=False).ids
    if rebuilt.token_to_id("<unk>") not in ids:
        assert text == rebuilt.decode(ids, skip_special_tokens=False)


def pieces_of_sentencepiece() -> tuple[list[str], list[int], list[float]]:
    """Texts, types and scores of a vocabulary in SentencePiece's order: bytes, pieces, letters."""
    trained = SentencePieceBPETokenizer()
    trained.train_from_iterator(TEXTS[:-2], vocab_size=600)
    raw = json.loads(trained.to_str())["model"]
    merged = list(dict.fromkeys("".join(merge) for merge in raw["merges"]))
    letters = sorted(set(raw["vocab"]) - set(merged) - {"<unk>"})
    special = ["<unk>", "<s>", "</s>"]
    raw_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    kinds += [TokenType.BYTE] * len(raw_bytes)
    kinds += [TokenType.NORMAL] * (len(merged) + len(letters))
    scores = [0.0] * (len(special) + len(raw_bytes))
    scores += [-float(rank) for rank in range(len(merged) + len(letters))]
    return special + raw_bytes + merged + letters, [int(kind) for kind in kinds], scores


@pytest.mark.parametrize(
    ("name", "has_prefix"), [("LlamaTokenizer", True), ("GemmaTokenizer", False)]
)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_sentencepieces_ids_are_those_of_the_classes_in_transformers(name, has_prefix, text):
    """The last texts have letters that the vocabulary lacks, which become bytes.

    The classes take the text of a special token for that token, so no text has one here.
    """
    transformers = required_module("transformers")
    convert_slow_tokenizer = required_module("transformers.convert_slow_tokenizer")
    text = text.replace("<", "(")
    tokens, types, scores = pieces_of_sentencepiece()
    vocabulary = {token: id_ for id_, token in enumerate(tokens)}
    normal = {
        token: score
        for token, kind, score in zip(tokens, types, scores, strict=True)
        if kind == TokenType.NORMAL
    }
    merges = convert_slow_tokenizer.generate_merges(vocabulary, normal)
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    if name == "GemmaTokenizer":
        names |= {"pad_token": "<s>", "mask_token": "<s>"}
    original = getattr(transformers, name)(vocab=vocabulary, merges=merges, **names)
    rebuilt = tokenizer_from_gguf(
        {
            "tokenizer.ggml.model": "llama",
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": types,
            "tokenizer.ggml.scores": scores,
            "tokenizer.ggml.add_space_prefix": has_prefix,
        }
    )

    ids = rebuilt.encode(text, add_special_tokens=False).ids
    assert original.encode(text, add_special_tokens=False) == ids
    assert text == rebuilt.decode(ids, skip_special_tokens=False)


def test_control_tokens_are_special_and_unused_rows_are_no_tokens(byte_level):
    original, keys = byte_level
    rebuilt = tokenizer_from_gguf(keys)

    special = {
        token
        for token, kind in zip(
            keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"], strict=True
        )
        if kind == TokenType.CONTROL
    }
    found = {
        added.content for added in rebuilt.get_added_tokens_decoder().values() if added.special
    }
    assert special == found
    assert original.get_vocab_size() == rebuilt.get_vocab_size()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"tokenizer.ggml.model": "bert"}, "'bert'"),
        ({"tokenizer.ggml.pre": "unheard-of"}, "'unheard-of'"),
        ({"tokenizer.ggml.tokens": None}, "no tokenizer"),
        ({"tokenizer.ggml.token_type": [1]}, "no types"),
        ({"tokenizer.ggml.merges": None}, "no merges"),
        ({"tokenizer.ggml.merges": ["zq zq"]}, "do not belong"),
        ({"tokenizer.ggml.merges": ["alone"]}, "do not belong"),
        ({"tokenizer.ggml.model": "llama"}, "no scores"),
    ],
)
def test_keys_that_do_not_fit_are_one_sentence(byte_level, change, named):
    with pytest.raises(GgufError, match=named):
        tokenizer_from_gguf({**byte_level[1], **change})
