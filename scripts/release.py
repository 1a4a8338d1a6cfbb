"""Builds a release twice, in two places, and fails where one byte differs; lists its parts.

    python -m scripts.release FOLDER --parts REQUIREMENTS

FOLDER gets the wheel, the sdist, SHA256SUMS, and fim-lsp-VERSION.cdx.json, a CycloneDX list of the
release and of all that it is installed with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Builds and compares; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", type=Path, required=True, metavar="REQUIREMENTS")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        first, second = (build(Path(work) / name) for name in ("one", "a second, longer, name"))
        if different := sorted(set(first.items()) ^ set(second.items())):
            print(f"two builds differ: {different}", file=sys.stderr)
            return 1
        args.folder.mkdir(parents=True)
        for name in first:
            shutil.copyfile(Path(work) / "one" / "dist" / name, args.folder / name)
    wheel = next(args.folder.glob("*.whl"))
    list_parts(wheel, args.parts, args.folder / f"{wheel.name.split('-py3')[0]}.cdx.json")
    sums = {path.name: _sha256(path) for path in sorted(args.folder.iterdir())}
    text = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (args.folder / "SHA256SUMS").write_text(text, encoding="utf-8")
    print(f"built twice, the same bytes:\n{text}", end="")
    return 0


def build(folder: Path) -> dict[str, str]:
    """Builds wheel and sdist from a copy of what git has; returns name -> SHA-256.

    The times in the archives are that of the commit, and nobody's umask counts.
    """
    source = folder / "source"
    source.mkdir(parents=True)
    archive = folder / "source.tar"
    _git("archive", "--format=tar", f"--output={archive}", "HEAD")
    shutil.unpack_archive(archive, source, filter="data")
    environment = os.environ | {
        "SOURCE_DATE_EPOCH": _git("log", "-1", "--format=%ct").strip(),
        "PYTHONHASHSEED": "0",
    }
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    return {path.name: _sha256(path) for path in (folder / "dist").iterdir()}


def list_parts(wheel: Path, requirements: Path, target: Path) -> None:
    """Writes the list of the release and of what it is installed with, the same for each build."""
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(requirements)]
    done = subprocess.run(
        [
            *command,
            "--output-reproducible",
            "--spec-version",
            "1.6",
            "--pyproject",
            "pyproject.toml",
        ],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    parts = json.loads(done.stdout)
    own = parts["metadata"]["component"]
    own["version"] = wheel.name.split("-")[1]
    own["hashes"] = [{"alg": "SHA-256", "content": _sha256(wheel)}]
    target.write_text(json.dumps(parts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, cwd=ROOT, capture_output=True, text=True)
    return done.stdout


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
