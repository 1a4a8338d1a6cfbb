"""A tokenizer whose patterns take for ever is refused when its model is added."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_runtime.errors import ConversionError
from model_runtime.importers.tokenizer_speed import check_speed
from model_runtime.prompt.tokenizer import FimTokenizer
from tests.support.random_neox import train_tokenizer


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    train_tokenizer(path, 300)
    return path


def with_pattern(plain: Path, folder: Path, pattern: str) -> FimTokenizer:
    raw = json.loads(plain.read_text())
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    raw["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, raw["pre_tokenizer"]]}
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    return FimTokenizer.from_file(folder / "tokenizer.json")


EXPLODING = [
    r"(a+)+$",
    r"(a|aa)+$",
    r"(a|a)*b",
    r"(.*)*\1x",
    r"(\w+\s?)*$",
    r"(?:\s+)+x",
    r"([a-zA-Z]+)*\d",
    r"(x+x+)+y",
    r"(\d+)*$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
]


@pytest.mark.parametrize("pattern", EXPLODING)
def test_a_pattern_that_explodes_is_refused_or_harmless(plain, tmp_path, pattern):
    """The library gives up on some; none of those that are kept takes longer than the limit."""
    try:
        tokenizer = with_pattern(plain, tmp_path, pattern)
        check_speed(tokenizer)
    except ConversionError as error:
        assert "the tokenizer" in str(error)
    else:
        assert tokenizer.encode("a" * 100)


def test_a_slow_tokenizer_is_refused_in_one_sentence(plain):
    seconds = iter(range(10**6))
    with pytest.raises(ConversionError, match=r"takes 2\.0 s for a text of 31 characters"):
        check_speed(FimTokenizer.from_file(plain), clock=lambda: float(next(seconds)))


def test_a_usual_tokenizer_is_not(plain):
    check_speed(FimTokenizer.from_file(plain), clock=lambda: 0.0)
