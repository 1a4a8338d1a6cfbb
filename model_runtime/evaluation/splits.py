"""The splits of HumanEval-infilling (Bavarian et al. 2022, arXiv:2207.14255) as published."""

from __future__ import annotations

from dataclasses import dataclass

MAX_NEW_TOKENS_OF_A_LINE, MAX_NEW_TOKENS = 64, 256


@dataclass(frozen=True, slots=True)
class Split:
    """One file of a benchmark, and what is known about it."""

    name: str
    file: str
    sha256: str
    rows: int
    is_whole_lines: bool
    """Whether lines were cut out, not characters, so that a middle ends in a line end."""
    empty_passes: int
    """Number of rows whose checks an empty completion passes: the floor, and a known answer by
    which the evaluation itself is tested."""

    @property
    def max_new_tokens(self) -> int:
        """Limit on the tokens of an answer where the caller sets none."""
        return MAX_NEW_TOKENS_OF_A_LINE if self.name == "single-line" else MAX_NEW_TOKENS


SPLITS = {
    split.name: split
    for split in (
        Split(
            "single-line",
            "HumanEval-SingleLineInfilling.jsonl.gz",
            "1277073e7ddce163ef68598c2bca777f688a53df99422f097e37362090f88e1f",
            rows=1033,
            is_whole_lines=True,
            empty_passes=27,
        ),
        Split(
            "multi-line",
            "HumanEval-MultiLineInfilling.jsonl.gz",
            "2f341612eee1d35da1357a4f365e0c0b3ba6e2b62eb491e88aaefa4855af0349",
            rows=5815,
            is_whole_lines=True,
            empty_passes=55,
        ),
        Split(
            "random-span",
            "HumanEval-RandomSpanInfilling.jsonl.gz",
            "b4f330d8a8ff97bf85d9def497dffcae4d741e506449386a877236e422e33e8d",
            rows=1640,
            is_whole_lines=False,
            empty_passes=30,
        ),
        Split(
            "random-span-light",
            "HumanEval-RandomSpanInfillingLight.jsonl.gz",
            "1432250ecac0cb56e6f97f8faf0970419ef892a98fda7e1f5aa4c4b87209b760",
            rows=164,
            is_whole_lines=False,
            empty_passes=0,
        ),
    )
}
"""Every split by its name."""
