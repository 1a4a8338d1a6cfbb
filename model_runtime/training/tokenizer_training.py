"""Stage 2: trains a byte-level BPE tokenizer for code, or takes one that there is.

Special tokens have the lowest ids.  There is no normalizer, so every text comes back as it went in.
Before BPE, text is split into pieces that suit code: a newline with its indentation is one piece,
digits stand alone, an identifier takes the one space before it, a run of operators stays together.
"""

from __future__ import annotations

import heapq
import lzma
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from model_runtime.errors import ModelRuntimeError
from model_runtime.prompt.tokenizer import FimTokenizer, with_sentinels
from model_runtime.training.recipe import TokenizerRecipe
from model_runtime.training.special_tokens import NAMES, OPTIONAL, RESERVED, tokens_of

PIECES = r"\n[ \t]*|[^\S\n]?[^\W\d]\w*|\d| ?[^\s\w]+|[^\S\n]+|\s"
MAX_TOKEN_CHARACTERS = 32
"""Longest token in characters; longer pieces are licences and rulers, not words."""
MIN_COUNT = 3


class TokenizerDefect(ModelRuntimeError):
    """A tokenizer changed a text, made a sentinel out of one, or is not that of the recipe."""


def make_tokenizer(recipe: TokenizerRecipe, corpus: Path, path: Path) -> float:
    """Writes `tokenizer.json`; returns its bytes per token on held-out documents.

    Raises:
        TokenizerDefect: the tokenizer that was trained or taken is not fit; says why.
    """
    if recipe.file:
        take(recipe, path)
    else:
        total = sum(1 for _ in read_texts(corpus, "train"))
        sample = draw_sample(read_texts(corpus, "train"), total, recipe)
        build(recipe.vocabulary, sample).save(str(path), pretty=False)
    return check(FimTokenizer.from_file(path), list(read_texts(corpus, "valid")))


def take(recipe: TokenizerRecipe, path: Path) -> None:
    """Copies a tokenizer, with the sentinels that it lacks behind its ids.

    Raises:
        TokenizerDefect: it is none, or has another number of ids than the recipe says.
        BundleError: plain text gives one of its sentinels.
    """
    source = Path(os.path.expandvars(recipe.file)).expanduser()
    try:
        tokenizer = with_sentinels(source, [NAMES[role] for role in NAMES if role not in OPTIONAL])
    except Exception as error:  # the library raises bare Exception
        raise TokenizerDefect(f"tokenizer.file: {source} cannot be read ({error})") from error
    if tokenizer.size != recipe.vocabulary:
        raise TokenizerDefect(
            f"{source} has {tokenizer.size} ids with its sentinels; tokenizer.vocabulary is "
            f"{recipe.vocabulary}"
        )
    tokenizer.save(path)


def read_texts(corpus: Path, kind: str) -> Iterator[str]:
    """Yields the documents of all parts of a kind."""
    for part in sorted(corpus.glob(f"{kind}-*.txt.xz")):
        unfinished = ""
        with lzma.open(part, "rt", encoding="utf-8", newline="") as file:
            while chunk := file.read(1 << 22):
                *whole, unfinished = (unfinished + chunk).split("\0")
                yield from whole


def draw_sample(texts: Iterable[str], total: int, recipe: TokenizerRecipe) -> list[str]:
    """Draws documents of about `sample_mb`, out of `total` that are only looked at in passing."""
    order = list(range(total))
    random.Random(recipe.seed).shuffle(order)
    rank = {number: place for place, number in enumerate(order)}
    limit = int(recipe.sample_mb * 1e6)
    kept: list[tuple[int, str]] = []  # heap: the last in the order, negated, on top
    size = 0
    for number, text in enumerate(texts):
        heapq.heappush(kept, (-rank[number], text))
        size += len(text.encode())
        while size - (last := len(kept[0][1].encode())) >= limit:
            heapq.heappop(kept)
            size -= last
    return [text for _, text in sorted(kept, reverse=True)]


def build(vocabulary: int, texts: Iterable[str]) -> Tokenizer:
    """Trains BPE on these texts; the sentinels count towards the vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [
        AddedToken(token, special=True, normalized=False) for token in (*NAMES.values(), *RESERVED)
    ]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=MIN_COUNT,
        max_token_length=MAX_TOKEN_CHARACTERS,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def check(tokenizer: FimTokenizer, texts: list[str]) -> float:
    """Returns the bytes per token of these texts.

    Raises:
        TokenizerDefect: a text does not come back, or plain text gives a special id.
    """
    num_bytes = num_tokens = 0
    special = {*tokens_of(tokenizer).all(), *map(tokenizer.id_of, RESERVED)}
    for text in [*ODD_TEXTS, *texts]:
        ids = tokenizer.encode(text)
        if tokenizer.decode(ids) != text:
            raise TokenizerDefect(f"the tokenizer changes {text[:60]!r}; train or take another")
        if special.intersection(ids):
            raise TokenizerDefect(
                f"the tokenizer makes a sentinel of {text[:60]!r}; train or take another"
            )
    for text in texts:
        num_bytes += len(text.encode())
        num_tokens += len(tokenizer.encode(text))
    return num_bytes / max(1, num_tokens)


ODD_TEXTS = (
    "",
    "\n",
    "\r\n\t x",
    "e\u0301 \u00e9 \ufb01 \u2126",
    "\U0001f600\u200d\u4f60\u597d = '\u0130'\n",
    "\x00\x7f",
    "a  b\t\tc   \n\n\n    d",
    "<|SUF|><|endoftext|><|PRE|>",
    "x=1234.5e-10_000",
    "".join(map(chr, range(0x2FF))),
)
"""Texts that a normalizer or a careless split would change."""
