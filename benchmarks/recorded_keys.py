"""Records what a model would write at each key of some files, for trying rules without the model.

    python -m benchmarks.recorded_keys --model NAME --files held-out    windows of the calibration
    python -m benchmarks.recorded_keys --model NAME --files frozen      the frozen set

A line of runs/recorded/NAME-FILES.jsonl is one place: the tokens that were decoded, with their
probabilities, as far as a line is likelier than `LEAST`.  `where_to_end`, `show_filter` and
`calibration --recorded` read them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import calibration
from fim_lsp.commands.replay import progress
from fim_lsp.replay import script, user
from fim_lsp.settings import Settings
from model_runtime.decoding.confidence import ConfidenceCutoff
from model_runtime.decoding.generate import Finish, generate_text
from model_runtime.decoding.stop_rules import Cut, StopRules, wants_single_line
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.protocol import SamplingParams
from model_runtime.prompt.encoder import MAX_REREAD_TOKENS, Hole, PromptBudget, PromptRequest
from model_runtime.prompt.format import HoleStart
from model_runtime.served_model import ServedModel, serve_bundle
from model_runtime.store import installed
from model_runtime.syntax.languages import language

FOLDER = Path("runs/recorded")
LEAST = 0.03
"""Probability of a line below which nothing is recorded of it."""
_MAX_TOKENS = 40
_FROZEN = ("benchmarks/replay_set/ours", "benchmarks/replay_set/others")


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a text that is typed, and what the model writes there."""

    file: str
    language: str
    window: int
    """Number of the part of the file."""
    offset: int
    text: str
    """Text of all tokens that were decoded."""
    ends: Sequence[int]
    """Length of the text after each token."""
    logprobs: Sequence[float]
    kept: str
    """Beginning of the text that the stop rules leave."""
    is_cut_off: bool
    is_of_whole_line: bool


class _Recorder:
    """Remembers what it was asked about last, and ends a text at the least probability alone."""

    def __init__(self) -> None:
        self._cutoff = ConfidenceCutoff(LEAST, sure=0.0)
        self.seen: tuple[str, list[int], list[float]] = ("", [], [])

    def cut(self, text: str, ends: Sequence[int], logprobs: Sequence[float]) -> Cut | None:
        """Returns the place where the text ends; None to go on."""
        self.seen = (text, list(ends), [round(one, 4) for one in logprobs])
        return self._cutoff.cut(text, ends, logprobs)


def written(
    model: ServedModel, file: Path, language_id: str, text: str, offset: int
) -> dict[str, Any]:
    """Returns what the model writes at a place of a text that ends there."""
    settings = Settings()
    hole, spoken = Hole(text[:offset], ""), language(language_id)
    room = model.engine.context_length - _MAX_TOKENS
    prompt = model.encoder.prompt(
        PromptRequest(hole, path=file.name),
        PromptBudget(min(settings.context_tokens, room), reread_tokens=MAX_REREAD_TOKENS),
    )
    rules = StopRules(hole, wants_single_line(hole, settings.multiline, spoken), spoken)
    recorder = _Recorder()
    found = generate_text(
        model.engine,
        model.tokenizer,
        prompt.ids,
        SamplingParams(_MAX_TOKENS, model.stop_ids),
        forced_text=prompt.forced_text,
        stop_strings=model.encoder.format.stop_strings,
        stop=rules.cut,
        sure=recorder,
    )
    decoded, ends, logprobs = recorder.seen
    return {
        "text": decoded,
        "ends": ends,
        "logprobs": logprobs,
        "kept": found.text,
        "is_cut_off": found.finish is Finish.LENGTH,
        "is_of_whole_line": prompt.hole_start is HoleStart.LINE,
    }


def places(
    scripts: Sequence[script.Script], keys: int, windows: int
) -> Iterator[tuple[script.Script, int, int]]:
    """Yields each place: the file, the number of the window, and the offset behind a key.

    Windows begin at lines that are drawn; none are drawn for 0, and the file's start is typed.
    """
    for number in range(max(1, windows)):
        for one in scripts:
            text = one.insertions[0].text
            lines = [at + 1 for at, sign in enumerate(text[:-keys]) if sign == "\n"]
            draw = random.Random(one.path.name)
            starts = draw.sample(lines, min(windows, len(lines))) if windows else [0]
            if number < len(starts):
                at = starts[number]
                for _ in range(keys):
                    if at < len(text):
                        at += len(user.key_of(text[at:]))
                        yield one, number, at


def read(path: Path) -> list[list[Place]]:
    """Returns the places of each window, in the order of typing."""
    windows: dict[tuple[str, int], list[Place]] = {}
    for line in path.read_text("utf-8").splitlines():
        place = Place(**json.loads(line))
        windows.setdefault((place.file, place.window), []).append(place)
    return list(windows.values())


def path_of(model: str, files: str) -> Path:
    """Returns the file of a recording."""
    return FOLDER / f"{model}-{files}.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    parser.add_argument("--files", choices=("held-out", "frozen"), default="held-out")
    parser.add_argument("--keys", type=int, default=60, metavar="N", help="of each window")
    parser.add_argument("--windows", type=int, default=3, metavar="N", help="of held-out files")
    args = parser.parse_args()
    is_frozen = args.files == "frozen"
    if is_frozen:
        files = [Path(name) for name in _FROZEN]
    else:
        others = calibration.held_out_files_of_other_languages()
        files = [*calibration.held_out_files(), *others]
    scripts = script.of_files(files)
    model = serve_bundle(installed.find(args.model), "onnx", EngineOptions(threads=1))
    work = list(places(scripts, args.keys, 0 if is_frozen else args.windows))
    out = path_of(args.model, args.files)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8") as file, progress() as bar:
        task = bar.add_task("", total=len(work))
        for one, window, offset in work:
            answer = written(model, one.path, one.language, one.insertions[0].text, offset)
            place = Place(str(one.path), one.language, window, offset, **answer)
            file.write(json.dumps(asdict(place)) + "\n")
            bar.update(task, advance=1, description=one.label[-40:])
    print(f"{len(work)} places written to {out}")


if __name__ == "__main__":
    main()
