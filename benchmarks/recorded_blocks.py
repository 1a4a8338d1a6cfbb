"""Records what a model writes where a block is wanted, for trying rules without the model.

    python -m benchmarks.recorded_blocks --repositories FOLDER --data FOLDER --model NAME

Bodies of 2 to 10 lines of functions, loops and conditions are cut out of files of public
repositories, whose clones lie in the first folder, and out of HumanEval-infilling, which lies in
the second; what stands below is kept, and the cursor stands on the empty, indented line.  A line of
runs/blocks/NAME.jsonl is what the model writes in one hole with no stop rule, with the prompt of a
user who asks by hand; who types gets one with less of the text below.  `blocks` reads it.  Breaking
it off loses nothing: the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fim_lsp.commands.replay import progress
from fim_lsp.settings import Settings
from model_runtime.decoding.generate import Finish, generate_text
from model_runtime.decoding.stop_rules import Cut, indentation
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.protocol import SamplingParams
from model_runtime.evaluation.splits import SPLITS
from model_runtime.evaluation.tasks import LANGUAGE, choose, read_split
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest
from model_runtime.prompt.format import HoleStart
from model_runtime.served_model import ServedModel, serve_bundle
from model_runtime.store import installed
from model_runtime.syntax.languages import language, language_id
from model_runtime.syntax.tree_sitter import tree_of

FOLDER = Path("runs/blocks")
REPOSITORIES = ("click", "gson", "rack", "memchr", "fmt", "ky")
MAX_TOKENS = 128
_LANGUAGES = ("python", "java", "ruby", "rust", "cpp", "typescript")
_FUNCTION = re.compile(r"(function|method|constructor|singleton_method)(_.*)?")
_INNER = re.compile(r"(if|for|while|enhanced_for|for_in|for_range)(_.*)?")
_BODIES = ("body", "consequence")
_LARGEST_FILE = 200_000


@dataclass(frozen=True, slots=True)
class Block:
    """A body that was cut out of a file."""

    file: str
    language: str
    kind: str
    """`function`, `inner` for a loop or a condition, or `humaneval`."""
    hole: Hole
    body: str


@dataclass(frozen=True, slots=True)
class Written:
    """A model's answer in one hole, with no stop rule."""

    text: str
    ends: Sequence[int]
    logprobs: Sequence[float]
    is_ended: bool
    """Whether the model ended it."""
    is_of_whole_line: bool


def blocks_of(path: Path, name: str) -> Iterator[Block]:
    """Yields the bodies of a file."""
    text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    spoken = language(language_id(path.name))
    root = tree_of(text, spoken) if len(text) < _LARGEST_FILE else None
    lines, waiting = text.split("\n"), [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        waiting += node.children
        is_function = bool(_FUNCTION.fullmatch(node.type))
        if not node.is_named or not (is_function or _INNER.fullmatch(node.type)) or node.has_error:
            continue
        body = next(filter(None, map(node.child_by_field_name, _BODIES)), None)
        rows = None if body is None else _rows(node, body, lines)
        if rows is not None:
            first, last = rows
            white = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
            prefix = "\n".join([*lines[:first], white])
            middle = "\n".join(lines[first : last + 1])[len(white) :]
            suffix = "\n" + "\n".join(lines[last + 1 :])
            kind = "function" if is_function else "inner"
            yield Block(name, spoken.id, kind, Hole(prefix, suffix), middle)


def _rows(node: Any, body: Any, lines: Sequence[str]) -> tuple[int, int] | None:
    """Returns the first and the last line of a body that has lines of its own; None for others."""
    first, last = body.start_point[0], body.end_point[0]
    if lines[first][: body.start_point[1] + 1].strip() != "" and body.children:
        if body.children[0].type == "{" and body.children[-1].type == "}":
            if not lines[first].endswith("{") or not lines[last].lstrip().startswith("}"):
                return None
            first, last = first + 1, last - 1
        elif body.type == "then":  # which begins with the line end behind its head
            first = max(first + 1, body.named_children[0].start_point[0])
        elif first == node.start_point[0]:
            return None
    if body.end_point[1] == 0:
        last -= 1
    comes_after = body.children and _is_docstring(body.children[0])
    if comes_after and body.child_count > 1:
        first = body.children[1].start_point[0]
    own = [line for line in lines[first : last + 1] if line.strip()]
    if not 2 <= len(own) <= 10 or not lines[first].strip() or not lines[last].strip():
        return None
    return (first, last) if indentation(lines[first]) > 0 else None


def _is_docstring(node: Any) -> bool:
    return node.type == "expression_statement" and node.children[0].type == "string"


def all_blocks(folder: Path, of_each: int) -> list[Block]:
    """Returns bodies of each repository, two of a file at the most, one after the other."""
    found = []
    for repository in REPOSITORIES:
        files = sorted((folder / repository).rglob("*"))
        wanted = [path for path in files if language_id(path.name) in _LANGUAGES]
        draw, chosen = random.Random(repository), []
        draw.shuffle(wanted)
        for path in wanted:
            if path.is_file():
                own = list(blocks_of(path, str(path.relative_to(folder))))
                chosen += draw.sample(own, min(2, len(own)))
        found.append(chosen[:of_each])
    return [one[n] for n in range(of_each) for one in found if n < len(one)]


def recorded(model: ServedModel, block: Block) -> Written:
    """Returns what a model writes in a hole, until it ends or has left the block by two lines."""
    room = model.engine.context_length - MAX_TOKENS
    prompt = model.encoder.prompt(
        PromptRequest(block.hole, path=block.file.partition("/")[2]),
        PromptBudget(min(Settings().context_tokens, room)),
    )
    width = indentation(block.hole.prefix.rpartition("\n")[2])

    def has_left(text: str) -> Cut | None:
        lines = [line for line in text.split("\n")[1:] if line.strip()]
        outside = sum(indentation(line) < width for line in lines)
        return Cut(len(text), "left") if outside > 2 else None

    found = generate_text(
        model.engine,
        model.tokenizer,
        prompt.ids,
        SamplingParams(MAX_TOKENS, model.stop_ids),
        forced_text=prompt.forced_text,
        stop_strings=model.encoder.format.stop_strings,
        stop=has_left,
    )
    return Written(
        found.decoded,
        found.ends,
        [round(one, 4) for one in found.logprobs[: len(found.ends)]],
        found.finish is Finish.END,
        prompt.hole_start is HoleStart.LINE,
    )


def humaneval_blocks(data: Path, number: int) -> list[Block]:
    """Returns bodies of HumanEval-infilling that are all of a block, or all behind a docstring."""
    found = []
    for task in read_split(data, SPLITS["multi-line"]):
        body = task.middle.removesuffix("\n")
        white = body[: len(body) - len(body.lstrip())]
        above = task.hole.prefix.rstrip().rpartition("\n")[2]
        below = next((line for line in task.hole.suffix.split("\n") if line.strip()), "")
        own = [line for line in body.split("\n") if line.strip()]
        is_block = all(indentation(line) >= len(white) > indentation(below) for line in own)
        is_empty = above.endswith((":", '"""', "'''"))
        if is_empty and is_block and 2 <= len(own) <= 10 and "\n" not in white:
            hole = Hole(task.hole.prefix + white, "\n" + task.hole.suffix)
            found.append((task, Block(task.id, LANGUAGE, "humaneval", hole, body[len(white) :])))
    chosen = {task.id for task in choose([task for task, _ in found], number)}
    return [block for task, block in found if task.id in chosen]


def path_of(model: str) -> Path:
    """Returns the file of a recording."""
    return FOLDER / f"{model}.jsonl"


def read(path: Path) -> list[tuple[Block, float, Written]]:
    """Returns each block, the least probability to show there, and what is written."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        block = Block(**{**row["block"], "hole": Hole(**row["block"]["hole"])})
        found.append((block, row["least"], Written(**row["written"])))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    parser.add_argument("--repositories", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--data", type=Path, required=True, help="HumanEval-infilling")
    parser.add_argument("--holes", type=int, default=16, metavar="N", help="of each repository")
    args = parser.parse_args()
    blocks = all_blocks(args.repositories, args.holes)
    others = humaneval_blocks(args.data, 2 * args.holes)
    for number, block in enumerate(others):  # three of files, then one of these
        blocks.insert(4 * number + 3, block)
    model = serve_bundle(installed.find(args.model), "onnx", EngineOptions(threads=1))
    learned = model.learned_languages or _LANGUAGES
    path = path_of(args.model)
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {(block.file, block.body) for block, *_ in read(path)} if path.is_file() else set()
    missing = [block for block in blocks if (block.file, block.body) not in known]
    with path.open("a", encoding="utf-8") as file, progress() as bar:
        for block in bar.track([block for block in missing if block.language in learned]):
            least = model.calibration.for_language(block.language).least_probability(0.5)
            written = asdict(recorded(model, block))
            row = {"block": asdict(block), "least": least, "written": written}
            file.write(json.dumps(row) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
