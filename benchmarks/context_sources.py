"""Measures what parts of other files are worth to a model, by edit similarity with each kind.

    python -m benchmarks.context_sources                           the embedded model, this project
    python -m benchmarks.context_sources --model NAME --root FOLDER FOLDER --ways none all

Holes are the rests of code lines of the project's own files, which the model must not have learned
from; the file itself stands on the disk as it is, and is left out.  The two files beside it in the
list, changed last, are open, each with the cursor in its middle.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.record import write
from fim_lsp.context import Source, gather, sources_of
from fim_lsp.document import DocumentSnapshot
from fim_lsp.workspace.listing import source_files
from fim_lsp.workspace.project import Project
from fim_lsp.workspace.source_file import read_text
from model_runtime.decoding.generate import Generation, generate_text
from model_runtime.decoding.stop_rules import StopRules
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.evaluation.metrics import cluster_bootstrap, edit_similarity
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import Prompt, PromptBudget, PromptRequest
from model_runtime.store import installed
from model_runtime.syntax.languages import language, language_id

WAYS: dict[str, object] = {"none": False, **{one.value: [one.value] for one in Source}, "all": True}
MIN_CHARACTERS = 6
"""Fewest characters of a rest that is asked for."""


def documents(root: Path, suffix: str) -> list[DocumentSnapshot]:
    """Returns the project's files of one kind, the last changed first, the cursor in the middle of
    each.
    """
    found = []
    for name in source_files(root):
        text = read_text(root / name) if name.endswith(suffix) else None
        if text:
            uri = (root / name).as_uri()
            found.append(
                DocumentSnapshot(uri, language_id(name), 1, text, len(text) // 2, path=name)
            )
    return found


def holes(
    files: Sequence[DocumentSnapshot], of_each: int
) -> Iterator[tuple[int, DocumentSnapshot, str]]:
    """Yields the number of a file, its document with the cursor in a line, and the rest of that
    line.
    """
    for number, file in enumerate(files):
        draw = random.Random(file.path)
        lines = file.text.splitlines(keepends=True)
        places = [at for at in range(5, len(lines)) if len(lines[at].strip()) > MIN_CHARACTERS]
        for at in sorted(draw.sample(places, min(of_each, len(places)))):
            line = lines[at].rstrip("\n")
            cut = cut_of(line, draw)
            before = "".join(lines[:at]) + line[:cut]
            text = before + "\n" + "".join(lines[at + 1 :])
            yield number, replace(file, text=text, offset=len(before)), line[cut:]


def cut_of(line: str, draw: random.Random) -> int:
    """Returns where the rest of a line begins: behind its indentation, or anywhere behind that."""
    first = len(line) - len(line.lstrip())
    return draw.choice([first, draw.randrange(first, len(line) - MIN_CHARACTERS + 1)])


async def looked_through(root: Path) -> Project:
    """Returns the project, with its index."""
    project = Project()
    done = asyncio.get_running_loop().create_future()
    project.look_through([str(root)], (), 0, lambda path, text: None, done.set_result)
    await done
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))  # its process has ended
    return project


def written(
    engine: Engine, bundle: ModelBundle, snapshot: DocumentSnapshot, prompt: Prompt
) -> Generation:
    """Returns the line that the model writes."""
    rules = StopRules(snapshot.hole, True, language(snapshot.language_id))
    sampling = SamplingParams(max_tokens=48, stop_ids=bundle.stop_ids)
    return generate_text(
        engine,
        bundle.tokenizer,
        prompt.ids,
        sampling,
        forced_text=prompt.forced_text,
        stop=rules.cut,
    )


def first_line(text: str) -> str:
    """Returns a text's first line, without the white space around it."""
    return text.partition("\n")[0].strip()


def measure(
    engine: Engine,
    bundle: ModelBundle,
    root: Path,
    ways: Sequence[str],
    suffix: str,
    num_files: int,
    of_each: int,
) -> dict[str, object]:
    """Returns the figures of one project."""
    project = asyncio.run(looked_through(root))
    known = documents(root, suffix)
    chosen = random.Random(0).sample(known, min(num_files, len(known)))
    similarity: dict[str, list[float]] = {way: [] for way in ways}
    tokens: dict[str, int] = dict.fromkeys(ways, 0)
    problems: list[int] = []
    for number, snapshot, rest in holes(chosen, of_each):
        place = next(at for at, file in enumerate(known) if file.uri == snapshot.uri)
        opened = [known[at % len(known)] for at in (place + 1, place - 1)]
        problems.append(number)
        for way in ways:
            sources = sources_of(WAYS[way])  # type: ignore[arg-type]
            found = gather(
                snapshot, opened if sources else (), partial(project.files, snapshot.uri), sources
            )
            request = PromptRequest(snapshot.hole, snapshot.path, found.snippets)
            prompt = bundle.encoder.prompt(request, PromptBudget(tokens=768))
            text = written(engine, bundle, snapshot, prompt).text
            similarity[way].append(edit_similarity(first_line(text), rest.strip()))
            tokens[way] += prompt.snippet_tokens
    none = similarity["none"]
    return {
        "holes": len(problems),
        "files": len(chosen),
        "ways": {
            way: {
                "edit_similarity": cluster_bootstrap(values, problems)._asdict(),
                "more_than_none": cluster_bootstrap(
                    [value - base for value, base in zip(values, none, strict=True)], problems
                )._asdict(),
                "exact": round(sum(value == 1 for value in values) / len(values), 4),
                "tokens_from_elsewhere": round(tokens[way] / len(values), 1),
            }
            for way, values in similarity.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT)
    parser.add_argument("--root", type=Path, nargs="+", default=[Path(__file__).parents[1]])
    parser.add_argument("--suffix", default=".py", help="of the files (default .py)")
    parser.add_argument("--files", type=int, default=60, help="that have holes (default 60)")
    parser.add_argument("--holes", type=int, default=8, help="of each (default 8)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    args = parser.parse_args()
    bundle = installed.find(args.model)
    engine = OnnxEngine.open(bundle, threads=1)
    ways = ["none", *(way for way in args.ways if way != "none")]
    figures: dict[str, object] = {"model": bundle.manifest.name}
    for root in args.root:
        figures[root.resolve().name] = measure(
            engine, bundle, root.resolve(), ways, args.suffix, args.files, args.holes
        )
        print(root.name, figures[root.resolve().name], flush=True)
    given = {
        name: "FOLDER" if name == "root" else value
        for name, value in vars(args).items()
        if value != parser.get_default(name)
    }
    options = "".join(
        f" --{name} {' '.join(value) if isinstance(value, list) else value}"
        for name, value in given.items()
    )
    is_embedded = args.model == installed.DEFAULT
    name = "context_sources" if is_embedded else f"context_sources_{args.model}{args.suffix}"
    write(name, figures, "python -m benchmarks.context_sources" + options)


if __name__ == "__main__":
    main()
