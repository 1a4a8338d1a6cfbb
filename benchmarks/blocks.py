"""Compares rules for suggestions where a block is wanted, on what `recorded_blocks` has recorded.

    python -m benchmarks.blocks --repositories FOLDER                 a perfect writer, no model
    python -m benchmarks.blocks --repositories FOLDER --model NAME    and a recording of that model

The perfect writer knows the body and goes on with the document, so it says what rules and filters
alone end too early or too late.  On a recording each variant is what a user gets who asks, or who
types with the standard eagerness and the standard time limit on a model that writes an id in 40 ms.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.recorded_blocks import MAX_TOKENS, Block, Written, all_blocks, path_of, read
from fim_lsp.completion import filters
from fim_lsp.completion.language_filters import is_too_short
from fim_lsp.replay import user
from model_runtime.decoding.block import BlockRules, wants_block
from model_runtime.decoding.confidence import ConfidenceCutoff
from model_runtime.decoding.stop_rules import StopRules
from model_runtime.decoding.time_limit import last_boundary
from model_runtime.evaluation.metrics import (
    cluster_bootstrap,
    cluster_ratio,
    edit_similarity,
    paired_ratio_difference,
)
from model_runtime.syntax.languages import language

_TIME_LIMIT = 23
"""Ids in a second at 40 ms each, less the reading of a few."""
_LAST_WORD = len("end;")


@dataclass(frozen=True, slots=True)
class Variant:
    """Rules by which a text is ended and filtered."""

    rules: type[StopRules] | type[BlockRules]
    tokens: int = 48
    later: float | None = None
    """Probability that a later line needs; None for who asks, and sees everything."""
    is_block: bool = False
    """Whether the filters take the text for a whole block."""
    is_cut_by_time: bool = False


_TODAY = Variant(StopRules)
_BLOCK = Variant(BlockRules, is_block=True)
_TYPING = Variant(StopRules, later=0.5)
_BLOCK_TYPING = Variant(BlockRules, later=0.5, is_block=True)
ASKED = {
    "as before": _TODAY,
    "block rules": replace(_BLOCK, is_block=False),
    "block rules and filter": _BLOCK,
    "the same, 96 ids": replace(_BLOCK, tokens=96),
    "the same, 128 ids": replace(_BLOCK, tokens=MAX_TOKENS),
    "as before, 128 ids": replace(_TODAY, tokens=MAX_TOKENS),
}
TYPING = {
    "as before": _TYPING,
    "block rules and filter": _BLOCK_TYPING,
    "the same, later lines from 0.35": replace(_BLOCK_TYPING, later=0.35),
    "the same, later lines from 0.25": replace(_BLOCK_TYPING, later=0.25),
}
TYPING |= {
    f"{name}, within a second": replace(one, tokens=_TIME_LIMIT, is_cut_by_time=True)
    for name, one in TYPING.items()
}


def shown(block: Block, least: float, written: Written, variant: Variant) -> tuple[str, int]:
    """Returns what a user sees of what is written, and the ids that are decoded for it."""
    spoken = language(block.language)
    rules = (
        StopRules(block.hole, False, spoken)
        if variant.rules is StopRules
        else BlockRules(block.hole, spoken)
    )
    cutoff = None if variant.later is None else ConfidenceCutoff(least, later=variant.later)
    text, cut, number = "", None, 0
    for number, end in enumerate(written.ends[: variant.tokens], 1):
        text = written.text[:end]
        cuts = [rules.cut(text)]
        if cutoff is not None:
            cuts.append(cutoff.cut(text, written.ends[:number], written.logprobs[:number]))
        if cut := min((one for one in cuts if one is not None), default=None):
            text = text[: cut.offset]
            break
    is_whole = cut is not None or (written.is_ended and number == len(written.ends))
    if not is_whole and variant.is_cut_by_time:
        text, is_whole = text[: last_boundary(text)], True
    cleaned = filters.clean(
        text, block.hole, spoken, is_cut_off=not is_whole,
        is_of_whole_line=written.is_of_whole_line, is_block=variant.is_block,
    ).text  # fmt: skip
    return "" if cutoff is not None and is_too_short(cleaned) else cleaned, number


def repeats_below(text: str, block: Block) -> bool:
    """Tells whether a text is wrong, and says what stands below: as a whole, in two lines or more,
    or at its end what comes first.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    below = [line.strip() for line in block.hole.suffix.split("\n") if line.strip()]
    if not lines or block.body.startswith(text):
        return False
    places = range(len(below) - len(lines) + 1)
    is_copy = len(lines) > 1 and any(below[at : at + len(lines)] == lines for at in places)
    return is_copy or ([lines[-1]] == below[:1] and len(lines[-1]) > _LAST_WORD)


def measured(block: Block, text: str, number: int) -> dict[str, float]:
    """Returns the figures of one answer."""
    lines, body = text.split("\n") if text else [], block.body.split("\n")
    pairs = enumerate(zip(lines, body, strict=False))
    right = next((at for at, (one, other) in pairs if one.rstrip() != other.rstrip()),
                 min(len(lines), len(body)))  # fmt: skip
    by_line = user.num_keys("\n".join(body[:right])) - right
    whole = user.take(user.Offer(text), block.body, block.hole.suffix) if text else None
    by_whole = user.num_keys(block.body[: whole.right]) - whole.keys if whole else 0
    return {
        "lines": len(body),
        "lines_right": right,
        "keys": user.num_keys(block.body),
        "keys_by_line": max(0, by_line),
        "keys_by_whole": by_whole,
        "shown": bool(text),
        "lines_shown": len(lines),
        "first_line_right": right > 0,
        "exact": text.rstrip() == block.body.rstrip(),
        "too_early": right == len(lines) < len(body),
        "too_late": right == len(body) < len(lines),
        "repeats_below": repeats_below(text, block),
        "edit_similarity": edit_similarity(text, block.body),
        "ids": number,
    }


_RATIOS = (("lines_right", "lines"), ("keys_by_line", "keys"), ("keys_by_whole", "keys"))
_MEANS = ("exact", "edit_similarity")
_COUNTS = ("shown", "first_line_right", "too_early", "too_late", "repeats_below")


def figures(blocks: Sequence[Block], rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Returns shares in percent with their intervals, clustered by file, and counts."""
    files = [block.file for block in blocks]
    found: dict[str, Any] = {"holes": len(blocks)}
    for name, of in _RATIOS:
        interval = cluster_ratio([r[name] for r in rows], [r[of] for r in rows], files)
        found[name] = [round(100 * value, 1) for value in interval]
    for name in _MEANS:
        interval = cluster_bootstrap([float(row[name]) for row in rows], files)
        found[name] = [round(100 * value, 1) for value in interval]
    found |= {name: int(sum(row[name] for row in rows)) for name in _COUNTS}
    found["lines_shown"] = int(sum(row["lines_shown"] for row in rows))
    found["mean_ids"] = round(sum(row["ids"] for row in rows) / len(rows), 1)
    return found


def more_than(
    blocks: Sequence[Block], ours: Sequence[dict[str, float]], theirs: Sequence[dict[str, float]]
) -> dict[str, list[float]]:
    """Returns how much more of the lines and keys is right, in points, of the same holes."""
    files, found = [block.file for block in blocks], {}
    for name, of in _RATIOS:
        sides = [[(row[name], row[of]) for row in rows] for rows in (ours, theirs)]
        interval = paired_ratio_difference(sides[0], sides[1], files)
        found[f"more_{name}"] = [round(100 * value, 1) for value in interval]
    return found


def perfect(blocks: Sequence[Block]) -> dict[str, dict[str, int]]:
    """Returns how a writer's bodies end who knows them, by the variant, in counts of blocks."""
    found: dict[str, dict[str, int]] = {}
    for name, variant in (("as before", _TODAY), ("block rules and filter", _BLOCK)):
        counts: Counter[str] = Counter()
        for block in blocks:
            text = block.body + block.hole.suffix[:800]
            spoken = language(block.language)
            is_wanted = variant.is_block and wants_block(block.hole, spoken)
            rules = (BlockRules(block.hole, spoken) if is_wanted
                     else StopRules(block.hole, False, spoken))  # fmt: skip
            cut = rules.cut(text)
            left = text if cut is None else text[: cut.offset]
            cleaned = filters.clean(
                left, block.hole, spoken, is_block=is_wanted, is_of_whole_line=True
            )
            counts[_ended(left, block)] += 1
            counts["shown exactly"] += cleaned.text.rstrip() == block.body.rstrip()
            counts["wanted"] += is_wanted
        found[name] = dict(counts)
    return found


def _ended(left: str, block: Block) -> str:
    left, body = left.rstrip(), block.body.rstrip()
    return "ended right" if left == body else "too early" if body.startswith(left) else "too late"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repositories", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--model", metavar="NAME")
    args = parser.parse_args()
    found: dict[str, Any] = {"perfect writer": perfect(all_blocks(args.repositories, 10_000))}
    print(found)
    if args.model:
        rows = read(path_of(args.model))
        blocks = [block for block, _, _ in rows]
        for part, variants in (("asked", ASKED), ("typing", TYPING)):
            found[part], before = {}, None
            for name, variant in variants.items():
                each = [measured(row[0], *shown(*row, variant)) for row in rows]
                before = before or each
                found[part][name] = figures(blocks, each) | more_than(blocks, each, before)
                print(part, name, found[part][name], flush=True)
    name = f"blocks_{args.model or 'perfect'}"
    model = f" --model {args.model}" if args.model else ""
    record.write(name, found, f"python -m benchmarks.blocks --repositories FOLDER{model}")


if __name__ == "__main__":
    main()
