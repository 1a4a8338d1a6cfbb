"""Stage 2: a byte-level BPE tokenizer for code.

Special tokens have the lowest ids.  There is no normaliser, so every text comes back as it went in.
Before BPE, text is split into pieces that suit code: a newline with its indentation is one piece,
digits stand alone, an identifier takes the one space before it, a run of operators stays together.
"""

from __future__ import annotations

import logging
import lzma
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from model_runtime.errors import ModelRuntimeError
from model_runtime.tokenizer import FimTokenizer
from model_runtime.training.recipe import TokenizerRecipe
from model_runtime.training.special_tokens import NAMES, RESERVED

logger = logging.getLogger(__name__)
PIECES = r"\n[ \t]*|[^\S\n]?[^\W\d]\w*|\d| ?[^\s\w]+|[^\S\n]+|\s"
LONGEST_TOKEN = 32
"""Characters; longer pieces are licences and rulers, not words."""
LEAST_COUNT = 3


class TokenizerDefect(ModelRuntimeError):
    """A trained tokenizer changed a text or made a sentinel out of one."""


def train_tokenizer(recipe: TokenizerRecipe, corpus: Path, path: Path) -> float:
    """Write `tokenizer.json`; bytes per token on held-out documents."""
    sample = draw_sample(read_texts(corpus, "train"), int(recipe.sample_mb * 1e6), recipe.seed)
    build(recipe.vocabulary, sample).save(str(path), pretty=False)
    del sample
    return check(FimTokenizer.from_file(path), list(read_texts(corpus, "valid")))


def read_texts(corpus: Path, kind: str) -> Iterator[str]:
    """Documents of all parts of a kind."""
    for part in sorted(corpus.glob(f"{kind}-*.txt.xz")):
        yield from lzma.decompress(part.read_bytes()).decode("utf-8").split("\0")[:-1]


def draw_sample(texts: Iterable[str], size: int, seed: int) -> list[str]:
    """Random documents of about so many bytes in all."""
    shuffled = list(texts)
    random.Random(seed).shuffle(shuffled)
    sample: list[str] = []
    while shuffled and size > 0:
        sample.append(shuffled.pop())
        size -= len(sample[-1].encode())
    return sample


def build(vocabulary: int, texts: Iterable[str]) -> Tokenizer:
    """Train BPE on these texts; the sentinels count towards the vocabulary."""
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
        min_frequency=LEAST_COUNT,
        max_token_length=LONGEST_TOKEN,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def check(tokenizer: FimTokenizer, texts: list[str]) -> float:
    """Bytes per token of these texts.

    Raises:
        TokenizerDefect: a text does not come back, or plain text gives a special id.
    """
    num_bytes = num_tokens = 0
    special = len(NAMES) + len(RESERVED)
    for text in [*ODD_TEXTS, *texts]:
        ids = tokenizer.encode(text)
        if tokenizer.decode(ids) != text:
            raise TokenizerDefect(f"the tokenizer changes {text[:60]!r}; train it again")
        if ids and min(ids) < special:
            raise TokenizerDefect(
                f"the tokenizer makes a sentinel of {text[:60]!r}; train it again"
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
"""What a normaliser or a careless split would change."""
