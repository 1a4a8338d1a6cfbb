"""Lets the code that reads strangers' files read thousands of changed ones, and watches it.

    python -m tests.hostile.mutated_files --cases 10000 --seed 1 --record
    python -m tests.hostile.mutated_files --again benchmarks/results/hostile-files.json

Each case is a process of its own, with limits, that may write in its own folder alone.  A case is
good if the file is read, or refused in one short sentence; never if there was an error that nobody
foresaw, a crash, a time limit, a file opened or changed outside, or a secret in what came of it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hostile.mutations import changed_bytes, changed_header, changed_json

ROOT = Path(__file__).parents[2]
SECRET = "the-secret-of-somebody-else"
SECONDS = 60
MEMORY_BYTES = 2 * 2**30
_METADATA_BYTES = 20_000
"""Bytes of the small GGUF file before its tensors."""


@dataclass(frozen=True)
class Case:
    """A file that was changed in one way."""

    kind: str
    number: int

    def random(self, seed: int) -> random.Random:
        return random.Random(f"{seed} {self.kind} {self.number}")


def changed(kind: str, originals: Path, folder: Path, chance: random.Random) -> Path:
    """Puts the changed file, and what belongs to it, into a folder; returns what is to be read."""
    if kind in ("gguf", "wheel", "sdist", "zip"):
        original = next((originals / kind).iterdir())
        path = folder / original.name
        if kind == "sdist" and chance.random() < 0.8:
            unpacked = gzip.decompress(original.read_bytes())
            path.write_bytes(gzip.compress(changed_bytes(unpacked, len(unpacked), chance), 1))
            return path
        header = _METADATA_BYTES if kind == "gguf" else 10**9
        path.write_bytes(changed_bytes(original.read_bytes(), header, chance))
        return path
    which, file = kind.split("/")
    path = Path(shutil.copytree(originals / which, folder / which)) / file
    if file.endswith(".safetensors"):
        path.write_bytes(changed_header(path.read_bytes(), chance))
        if which == "bundle":
            _sign(path.parent)
    else:
        changed_text = changed_json(path.read_text(), chance)
        path.write_text(changed_text, encoding="utf-8", errors="replace")
        if file == "tokenizer.json" and which == "bundle":
            _sign(path.parent)
        elif file == "manifest.json":
            _sign(path.parent, facts=False)
    return path.parent


def _sign(bundle: Path, *, facts: bool = True) -> None:
    """Makes the hashes of a manifest fit, as somebody would who made the whole bundle."""
    from model_runtime.models.manifest import signed

    manifest = bundle / "manifest.json"
    try:
        raw = json.loads(manifest.read_text())
        if facts:
            for key, name in (("weights", "model.safetensors"), ("tokenizer", "tokenizer.json")):
                data = (bundle / name).read_bytes()
                raw[key] |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        manifest.write_text(signed(raw))
    except (ValueError, TypeError, RecursionError, AttributeError):
        return


KINDS = (
    "source/model.safetensors", "source/config.json", "source/tokenizer.json",
    "source/fim_config.json", "bundle/manifest.json", "bundle/model.safetensors",
    "bundle/tokenizer.json", "gguf", "wheel", "sdist", "zip",
)  # fmt: skip


def make_originals(folder: Path) -> None:
    """Writes one whole file or folder of each kind."""
    from tests.model_runtime.training.conftest import write_wheel
    from tests.support.random_models import VARIANTS, make_bundle
    from tests.support.small_gguf import write_small_gguf

    made = folder / "made"
    made.mkdir(parents=True)
    make_bundle(made, VARIANTS["rotary quarter"])
    for name in ("source", "bundle"):
        (made / name).rename(folder / name)
    write_small_gguf(folder / "gguf" / "small.gguf")
    texts = {
        f"part{number}.py": f"def f{number}():\n    return {number}\n" * 5 for number in range(4)
    }
    write_wheel(folder / "wheel", "thing", texts)
    _write_sdists(folder, texts)


def _write_sdists(folder: Path, texts: dict[str, str]) -> None:
    import tarfile
    import zipfile

    licence = "MIT License\n\nPermission is hereby granted, free of charge, to any person\n"
    for name in ("sdist", "zip"):
        (folder / name).mkdir()
    with tarfile.open(folder / "sdist" / "thing-1.0.tar.gz", "w:gz") as archive:
        for name, text in {**texts, "LICENSE": licence}.items():
            entry = tarfile.TarInfo(f"thing-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    with zipfile.ZipFile(folder / "zip" / "thing-1.0.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**texts, "LICENSE": licence}.items():
            archive.writestr(f"thing-1.0/{name}", text)


def read(kind: str, path: Path, out: Path) -> str:
    """Reads a file with the project's own code; returns the sentence that refuses it, or nothing."""
    if kind in ("wheel", "sdist", "zip"):
        return _read_archive(kind, path)
    from model_runtime.store.conversion_process import answer

    request = {
        "source": str(path), "target": str(out / "models" / "mine"), "options": {}, "origin": None,
        "license": "",
    }  # fmt: skip
    last = answer(request, io.StringIO())
    if "unexpected" in last:
        raise AssertionError(last["unexpected"])
    if "out_of" in last:
        raise AssertionError("memory")
    if kind == "bundle/model.safetensors" and "report" in last:
        return _loaded(out / "models" / "mine")
    return str(last.get("problem", ""))


def _loaded(bundle: Path) -> str:
    """Reads the weights as an engine does; returns the sentence that refuses them, or nothing."""
    from model_runtime.errors import BundleError
    from model_runtime.models.bundle import ModelBundle
    from model_runtime.models.weights import UnreadableWeights

    try:
        ModelBundle.open(bundle).weights()
    except (BundleError, UnreadableWeights) as error:
        return str(error)
    return ""


def _read_archive(kind: str, path: Path) -> str:
    from model_runtime.training.corpus.archives import Sdist, Wheel
    from model_runtime.training.corpus.source import MAX_FILE_BYTES, UNREADABLE, Share
    from model_runtime.training.recipe import CorpusRecipe

    source = (Wheel if kind == "wheel" else Sdist)(path, "thing", "1.0")
    try:
        _, files = source.open(CorpusRecipe(), Share())
        for file in files:
            assert len(file.data) <= MAX_FILE_BYTES, "a file that is too long"
    except UNREADABLE as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:100]  # as the corpus tells it
    return ""


def run_case(case: Case, seed: int, originals: Path, root: Path) -> dict[str, Any]:
    """Runs one case in a process that is forked from this one; returns what came of it."""
    folder = root / "cases" / "case"
    folder.mkdir(parents=True)
    (folder / "out").mkdir()
    started = time.monotonic()
    result_end, result_target = os.pipe()
    child = os.fork()
    if not child:
        os.close(result_end)
        _run_confined(case, seed, originals, folder, result_target)
    os.close(result_target)
    problem = _wait(child, started)
    with os.fdopen(result_end, "rb") as results:
        told = results.read()
    found: dict[str, Any] = json.loads(told) if told else {"fault": problem or "it said nothing"}
    if problem:
        found["fault"] = problem
    if "fault" not in found:
        found["fault"] = _fault_in(found, folder / "out")
    shutil.rmtree(root / "cases")
    found["seconds"] = time.monotonic() - started
    return found


def _run_confined(case: Case, seed: int, originals: Path, folder: Path, result: int) -> None:
    """Reads the changed file with every right given up that it does not need; never returns."""
    from model_runtime.landlock import write_only_in
    from model_runtime.store.conversion_process import limit

    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.environ["XDG_CACHE_HOME"] = str(folder / "out" / "cache")
        tempfile.tempdir = str(folder / "out")
        path = changed(case.kind, originals, folder, case.random(seed))
        limit({"DATA": MEMORY_BYTES, "FSIZE": 2**28, "CPU": SECONDS, "CORE": 0})
        write_only_in([folder / "out", Path(os.devnull)])
        opened: list[str] = []
        sys.addaudithook(
            lambda event, given: opened.append(str(given[0])) if event == "open" else None
        )
        sentence = read(case.kind, path, folder / "out")
        told = {"sentence": sentence, "opened": [one for one in opened if _is_outside(one, folder)]}
    except BaseException as error:
        told = {"fault": f"{type(error).__name__}: {error}"[:500]}
    os.write(result, json.dumps(told).encode()[:60_000])
    os._exit(0)


def _is_outside(path: str, folder: Path) -> bool:
    """Tells whether a file is neither the case's own nor one of Python's and the system's."""
    if path.isdigit() or not path.startswith("/"):
        return False
    own = (str(folder), str(ROOT), sys.prefix, sys.base_prefix, "/usr/", "/lib", "/proc/", "/sys/",
           "/dev/", "/etc/ld", "/etc/localtime", "/etc/os-release")  # fmt: skip
    return not path.startswith(own)


def _wait(child: int, started: float) -> str:
    """Returns what was wrong with the end of a process; empty if it left as it should."""
    while time.monotonic() - started < SECONDS:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return "" if code == 0 else f"it ended with {code}"
        time.sleep(0.002)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "time limit"


def _fault_in(found: dict[str, Any], out: Path) -> str:
    sentence = found["sentence"]
    if found["opened"]:
        return f"it opened {found['opened'][:3]}"
    if "\n" in sentence or len(sentence) > 1500:
        return f"its sentence is no line: {sentence[:200]!r}"
    if SECRET in sentence:
        return "the secret is in the sentence"
    for path in out.rglob("*"):
        if path.is_symlink() or (path.is_file() and SECRET.encode() in path.read_bytes()):
            return f"the secret, or a link, is in {path.name}"
    return ""


def run_cases(
    numbers: Sequence[int], seed: int, root: Path
) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Yields each case with what came of it; the kinds take turns."""
    originals = root / "originals"
    originals.mkdir(parents=True)
    # In a process of its own: one that has run torch must not be forked.
    code = "import sys; from pathlib import Path; from tests.hostile.mutated_files import *;"
    subprocess.run(
        [sys.executable, "-c", f"{code} make_originals(Path(sys.argv[1]))", str(originals)],
        check=True,
        cwd=ROOT,
    )
    (root / "secret").write_text(SECRET)
    before = _state(root)
    _import_readers()
    for done, number in enumerate(numbers, 1):
        case = Case(KINDS[number % len(KINDS)], number // len(KINDS))
        found = run_case(case, seed, originals, root)
        if (done % 50 == 0 or done == len(numbers)) and _state(root) != before:
            found["fault"] = found["fault"] or "a file outside was changed"
        yield case, found


def _import_readers() -> None:
    """Imports here what each forked process would import anew."""
    import gguf  # noqa: F401
    import safetensors  # noqa: F401
    import tokenizers  # noqa: F401

    import model_runtime.importers.bundle_weights
    import model_runtime.importers.checkpoint
    import model_runtime.importers.gguf
    import model_runtime.importers.huggingface
    import model_runtime.importers.tying
    import model_runtime.landlock
    import model_runtime.store.conversion_process
    import model_runtime.store.examination
    import model_runtime.training.corpus.archives
    import model_runtime.training.recipe  # noqa: F401


def _state(root: Path) -> dict[str, str]:
    """The hash of each file beside the cases."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "cases" not in path.relative_to(root).parts
    }


def main() -> int:
    """Runs as many cases as asked for, prints a table, and records it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="into benchmarks/results")
    parser.add_argument(
        "--again", type=Path, metavar="RESULTS", help="read what an earlier run had faults with"
    )
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part is not None:
        return _print_part(range(args.part, args.cases, args.workers), args.seed)
    if args.again is not None:
        return _read_again(args.again)
    table = {kind: Counter[str]() for kind in KINDS}
    slowest, faults = 0.0, list[str]()
    started = time.monotonic()
    for kind, number, outcome, seconds, fault in _parts(args.cases, args.seed, args.workers):
        table[kind][outcome] += 1
        slowest = max(slowest, seconds)
        if fault:
            faults.append(f"{kind} {number}: {fault}")
    print(f"{'':26}   read  refused  fault")
    for kind, counts in table.items():
        print(f"{kind:26} {counts['read']:6} {counts['refused']:8} {counts['fault']:6}")
    seconds = time.monotonic() - started
    print(
        f"{args.cases} files in {seconds:.0f} s, the slowest {slowest:.2f} s, {len(faults)} faults"
    )
    if args.record:
        from benchmarks.record import write

        figures = {
            "files": args.cases, "seed": args.seed, "seconds": round(seconds),
            "slowest_seconds": round(slowest, 2), "outcomes": table, "faults": faults,
        }  # fmt: skip
        command = f"python -m tests.hostile.mutated_files --cases {args.cases} --seed {args.seed}"
        write("hostile-files", figures, f"{command} --workers {args.workers} --record")
    return 1 if faults else 0


def _read_again(results: Path) -> int:
    """Reads the files of an earlier run's faults, and notes in its results what became of them."""
    recorded = json.loads(results.read_text())
    figures, numbers = recorded["figures"], list[int]()
    for fault in figures["faults"]:
        kind, number = fault.partition(":")[0].split(" ")
        numbers.append(int(number) * len(KINDS) + KINDS.index(kind))
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as folder:
        again = Counter[str]()
        for case, found in run_cases(numbers, figures["seed"], Path(folder)):
            outcome = "fault" if found["fault"] else "refused" if found["sentence"] else "read"
            again[outcome] += 1
            print(case.kind, case.number, found["fault"] or found["sentence"][:100] or "read")
    figures["faults_read_again_after_mending"] = again
    results.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _parts(cases: int, seed: int, workers: int) -> Iterator[tuple[str, int, str, float, str]]:
    """Yields what the workers print, one worker after the other; they work at the same time."""
    command = [sys.executable, "-m", "tests.hostile.mutated_files", "--cases", str(cases),
               "--seed", str(seed), "--workers", str(workers), "--part"]  # fmt: skip
    quiet = os.environ | {"OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with ExitStack() as files:
        outputs = [files.enter_context(tempfile.TemporaryFile("w+")) for _ in range(workers)]
        processes = [
            subprocess.Popen([*command, str(part)], stdout=output, cwd=ROOT, env=quiet)
            for part, output in enumerate(outputs)
        ]
        for process, output in zip(processes, outputs, strict=True):
            assert process.wait() == 0
            output.seek(0)
            for line in output:
                kind, number, outcome, seconds, fault = json.loads(line)
                yield kind, number, outcome, seconds, fault


def _print_part(numbers: range, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        for case, found in run_cases(numbers, seed, Path(folder)):
            outcome = "fault" if found["fault"] else "refused" if found["sentence"] else "read"
            told = (case.kind, case.number, outcome, found["seconds"], found["fault"])
            print(json.dumps(told), flush=True)
            if found["fault"]:
                print(case.kind, case.number, found["fault"], file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
