"""Small tokenizers of the kinds that models come with, made by hand."""

from collections.abc import Sequence

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from model_runtime.prompt.tokenizer import FimTokenizer

WORDS = ("def", "return", "self", "name", "import", "der", "für", "если", "print", "value")
KINDS = ("byte-level", "llama", "metaspace", "gemma")


def made(kind: str, special: Sequence[str] = ("<s>", "</s>")) -> FimTokenizer:
    """Returns a tokenizer whose special tokens have the ids 1, 2, ... (0 is `<unk>`)."""
    tokenizer = _byte_level(special) if kind == "byte-level" else _sentence_piece(kind, special)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return FimTokenizer(tokenizer)


def _byte_level(special: Sequence[str]) -> Tokenizer:
    words = ["Ġ" + word for word in WORDS if word.isascii()]
    tokens, merges = _merged(["ĠĠ", "ĠĠĠĠ", *words])
    vocabulary = _numbered(["<unk>", *special, *pre_tokenizers.ByteLevel.alphabet(), *tokens])
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return tokenizer


def _sentence_piece(kind: str, special: Sequence[str]) -> Tokenizer:
    single = "▁abcdefghijklmnopqrstuvwxyzüесли().:'\"=#{}<>|_-/+ABCS1"
    tokens, merges = _merged(["▁▁", "▁▁▁▁", *("▁" + word for word in WORDS), *WORDS])
    in_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = _numbered(["<unk>", *special, *in_bytes, *single, *tokens])
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if kind == "llama":
        replace = normalizers.Replace(" ", "▁")
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), replace])
        steps.append(decoders.Strip(" ", 1, 0))
    elif kind == "metaspace":
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        steps.append(decoders.Strip(" ", 1, 0))
    else:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{special[0]} $A", special_tokens=[(special[0], 1)]
    )
    return tokenizer


def _merged(words: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Returns the tokens that spell words, and the merges that make them letter by letter.

    Runs of one character are made of two halves.
    """
    merges: dict[tuple[str, str], None] = {}
    for word in words:
        if len(set(word)) == 1:
            half = len(word) // 2
            merges[word[:half], word[half:]] = None
        else:
            merges |= {(word[:cut], word[cut]): None for cut in range(1, len(word))}
    return [left + right for left, right in merges], list(merges)


def _numbered(tokens: Sequence[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}
