"""Adds a model of the hub: asks what has to be asked, fetches what is not here, converts it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from model_runtime.errors import ConversionError, ModelRuntimeError
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.manifest import NO_WEIGHTS
from model_runtime.progress import OnStep, part, step
from model_runtime.store import consent, hub, room
from model_runtime.store.bundle_copy import report_of
from model_runtime.store.choosing import wanted_files, without_weights
from model_runtime.store.confined import convert_confined
from model_runtime.store.converting import origin_entry, origin_of
from model_runtime.store.download import Download
from model_runtime.store.hub import HubFile, Repository, translated
from model_runtime.store.local_caches import LocalCopy, Wanted, find_copy, find_snapshot
from model_runtime.store.options import AddOptions
from model_runtime.store.sources import GGUF, RemoteSource

if TYPE_CHECKING:
    from model_runtime.importers.huggingface import ConversionReport

_FETCHED = 0.5
"""Share of the whole work that the download is: half a billion weights come in 80 s at 50 Mbit/s,
and are converted and tried out in about as long.
"""


def add_remote(
    source: RemoteSource, target: Path, options: AddOptions, progress: OnStep, ask: consent.Ask
) -> ConversionReport:
    """Puts a model of the hub in place of `target`, whole or not at all.

    What is known from the catalogue is checked before anything is fetched: memory, license, disk.

    Raises:
        ModelRuntimeError: it is too large, its license was not accepted, it cannot be fetched, or
            no bundle can be made of it.
    """
    return _Addition(source, target, options, progress, ask).run()


@dataclass(frozen=True, slots=True)
class _Addition:
    source: RemoteSource
    target: Path
    options: AddOptions
    progress: OnStep
    ask: consent.Ask

    def run(self) -> ConversionReport:
        model = self.source.model
        if model is not None:
            self._check_memory(model.download_bytes)
            self._check_license(model.license, model.license_url, model.is_permissive)
            if (report := self._unchanged(self.source.revision)) is not None:
                return report
            known = self.source.revision == model.revision and model.sha256
            if known and (copy := self._copy(model.file, model.download_bytes, model.sha256)):
                return self._from_copy(copy, model.file, model.revision)
        self.progress(f"asking the hub for {self.source.repository}")
        try:
            repository = hub.repository(self.source.repository, self.source.revision)
        except ConversionError:
            if model is None or not model.is_gguf or model.sha256:
                raise
            copy = self._copy(model.file, model.download_bytes, "")  # by its name and its size
            if copy is None:
                raise
            return self._from_copy(copy, model.file, "")
        if (report := self._unchanged(repository.revision)) is not None:
            return report
        files = wanted_files(repository, self.source.file)
        if self.options.quantization == NO_WEIGHTS:
            files = without_weights(files)
        return self._from_hub(repository, files)

    def _from_hub(self, repository: Repository, files: tuple[HubFile, ...]) -> ConversionReport:
        model, size = self.source.model, sum(file.size for file in files)
        if model is None:
            self._check_memory(size, is_gguf=files[0].name.lower().endswith(GGUF))
            is_permissive = repository.license.lower() in consent.PERMISSIVE
            self._check_license(repository.license, _page(repository.name), is_permissive)
        elif model.sha256 and model.revision == repository.revision:
            _check_hash(files[0], model.sha256)
        if is_one := len(files) == 1:
            copy = self._copy(files[0].name, size, files[0].digest)
            if copy is not None:
                return self._from_copy(copy, files[0].name, repository.revision)
        elif (snapshot := find_snapshot(repository, files)) is not None and self._may_use(
            snapshot.program, size
        ):
            return self._made(snapshot.path, "", repository.revision, "")
        folder = _download_folder(repository.name) / repository.revision
        with _alone(folder, self.source.title):
            download = Download(folder, files)
            self._check_disk(folder, download.missing_bytes, size, is_gguf=is_one)
            what = f"fetching {self.source.title} ({size / 1e6:,.0f} MB)"
            with (
                translated(repository.name),
                part(0, _FETCHED),
                step(what, download.share),
            ):
                download.run()
            source = folder / files[0].name if is_one else folder
            digest = files[0].digest if is_one else ""
            with part(_FETCHED, 1):
                report = self._made(
                    source, files[0].name if is_one else "", repository.revision, digest
                )
            shutil.rmtree(folder.parent, ignore_errors=True)
        return report

    def _from_copy(self, copy: LocalCopy, file: str, revision: str) -> ConversionReport:
        return self._made(copy.path, file, revision, copy.sha256)

    def _made(self, path: Path, file: str, revision: str, digest: str) -> ConversionReport:
        """Converts what lies on this machine by now, and notes where it comes from."""
        origin = origin_entry(
            self.source.repository, revision, file, digest, self.options.quantization
        )
        options = self.options
        model = self.source.model
        if (
            model is not None
            and model.prompt_format
            and not (options.order or options.prompt_format)
        ):
            options = replace(options, prompt_format=model.prompt_format)
        license = model.license if model is not None else ""
        return convert_confined(path, self.target, options, self.progress, origin, license)

    def _copy(self, file: str, size: int, digest: str) -> LocalCopy | None:
        """Returns a copy in another program's cache that the user lets us use."""
        copy = find_copy(Wanted(self.source.repository, file, size, digest))
        return copy if copy is not None and self._may_use(copy.program, size) else None

    def _may_use(self, program: str, size: int) -> bool:
        title = self.source.title
        question = f"{title} lies in {program} already.\nUse it instead of fetching {_mb(size)}?"
        if self.options.accept_license or self.ask(question):
            self.progress(f"using {title} from {program}")
            return True
        self.progress(f"{title} lies in {program} and is fetched anew; --yes would use it")
        return False

    def _check_license(self, license: str, url: str, is_permissive: bool) -> None:
        self.progress(f"the license of {self.source.title} is {license}: {url}")
        if not is_permissive and not self.options.accept_license:
            consent.agree_to_license(self.source.title, license, url, self.ask)

    def _check_memory(self, download_bytes: int, *, is_gguf: bool = True) -> None:
        model = self.source.model
        if self.options.force or self.options.quantization == NO_WEIGHTS:
            return
        if model is None:
            needed = room.bundle_bytes(
                download_bytes, self.options.quantization, None, is_gguf=is_gguf
            )
        else:
            from model_runtime.machine.prediction import memory_needed

            needed = memory_needed(model)
        room.check_memory(self.source.title, needed)

    def _check_disk(self, folder: Path, missing: int, size: int, *, is_gguf: bool) -> None:
        bundle = room.bundle_bytes(
            size, self.options.quantization, self.source.model, is_gguf=is_gguf
        )
        room.check_disk({folder: missing, self.target.parent: bundle})

    def _unchanged(self, revision: str) -> ConversionReport | None:
        """Reports on the model that is installed already, if it is of this very revision."""
        options = self.options
        if not revision or options.force or options.order or options.prompt_format:
            return None
        try:
            bundle = ModelBundle.open(self.target)
        except (ModelRuntimeError, OSError):
            return None
        origin = origin_of(bundle)
        file = self.source.file or origin.get("file")
        expected = (self.source.repository, revision, file, options.quantization)
        entries = ("repository", "revision", "file", "quantization")
        if expected != tuple(origin.get(entry) for entry in entries):
            return None
        note = f"revision {revision[:10]} is installed already"
        return report_of(bundle, note, is_new=False)


def _check_hash(file: HubFile, expected: str) -> None:
    if file.digest != expected:
        raise ConversionError(
            f"the hub's {file.name} has the SHA-256 {file.digest[:12]}... and the catalogue says "
            f"{expected[:12]}...; one of them was changed, so it is not fetched: ask whoever "
            "keeps the catalogue, or the hub"
        )


def _download_folder(repository: str) -> Path:
    cache = user_cache_path("fim-lsp", appauthor=False)
    return cache / "hub" / repository.replace("/", "--")


@contextmanager
def _alone(folder: Path, title: str) -> Iterator[None]:
    """Keeps other processes from fetching the same model in this block.

    Raises:
        ConversionError: one does already, or the folder cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = folder.parent.with_name(f"{folder.parent.name}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=0):
            yield
    except Timeout as error:
        raise ConversionError(
            f"another program is fetching {title} right now; wait until it is done"
        ) from error
    except OSError as error:
        raise ConversionError(f"{folder} cannot be written ({error.strerror})") from error


def _page(repository: str) -> str:
    return f"https://huggingface.co/{repository}"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
