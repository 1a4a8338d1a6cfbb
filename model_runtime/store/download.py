"""Fetches one file over HTTP, goes on with what an earlier run has left, and checks its hash.

The library of the hub brings its own connection, its login and its errors, but it removes what was
fetched of a file when its process ends.  So the part that has come is kept here, beside the file,
and named by the hash of the whole, so that two versions of a file are never joined.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from model_runtime.errors import ConversionError, ModelRuntimeError
from model_runtime.progress import advance
from model_runtime.store.hub import HubFile
from model_runtime.telemetry import import_silenced

_ATTEMPTS = 3
"""Tries in a row that bring nothing, before it is given up."""
_WAIT_SECONDS = 1.0
_TIMEOUT_SECONDS = 30.0
_CHUNK_BYTES = 64 * 1024


class Download:
    """Fetches the files of one model into a folder, and tells which share of all has come."""

    def __init__(self, folder: Path, files: tuple[HubFile, ...]) -> None:
        self._folder, self._files = folder, files
        self._total = sum(file.size for file in files) or 1

    @property
    def share(self) -> float:
        """The part of all bytes that lies here already, 0 to 1."""
        return (self._total - self.missing_bytes) / self._total

    @property
    def missing_bytes(self) -> int:
        """The number of bytes that are still to come."""
        return sum(file.size - self._have(file) for file in self._files)

    def run(self) -> None:
        """Fetches what is missing.

        Raises:
            ConversionError: a file was damaged on its way, or the disk is full.
            Exception: of the hub's library or of HTTP; what has come is kept.
        """
        for file in self._files:
            self._fetch(file)

    def _fetch(self, file: HubFile) -> None:
        target = self._folder / file.name
        if target.is_file():
            return
        part = self._part(file)
        fruitless = 0
        while self._have(file) < file.size or not part.is_file():
            before = self._have(file)
            broken = self._try(file, part)
            fruitless = 0 if self._have(file) > before else fruitless + 1
            if fruitless == _ATTEMPTS:
                raise broken or ConversionError(f"the hub sends nothing of {file.name}")
            if broken is not None:
                time.sleep(_WAIT_SECONDS)
        if not file.is_content(part):
            part.unlink()
            raise ConversionError(
                f"{file.name} was damaged on its way and is removed; run the same command again"
            )
        part.replace(target)

    def _try(self, file: HubFile, part: Path) -> Exception | None:
        """Receives what it can; returns the error if the connection broke."""
        try:
            self._receive(file, part)
        except (ModelRuntimeError, import_silenced("huggingface_hub.errors").HfHubHTTPError):
            raise
        except OSError as error:
            raise ConversionError(
                f"{part} cannot be written ({error.strerror}); make room for "
                f"{self.missing_bytes / 1e6:,.0f} MB and run the same command again, which goes on "
                "where this one ended"
            ) from error
        except Exception as error:  # the connection's, whatever HTTP library is below
            return error
        return None

    def _receive(self, file: HubFile, part: Path) -> None:
        """Reads one answer of the server to its end."""
        utils = import_silenced("huggingface_hub.utils")
        have = self._have(file)
        headers = {**utils.build_hf_headers(), "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        asked = {"headers": headers, "follow_redirects": True, "timeout": _TIMEOUT_SECONDS}
        with utils.get_session().stream("GET", file.url, **asked) as response:
            _raise_for_status(utils, response)
            goes_on = have and response.status_code == 206
            with part.open("ab" if goes_on else "wb") as written:
                for block in response.iter_bytes(_CHUNK_BYTES):
                    written.write(block)
                    written.flush()  # or what a killed process had not written would be lost
                    if written.tell() > file.size:
                        raise ConversionError(
                            f"{file.name} is larger than the hub says; run the same command again"
                        )
                    advance(self.share)

    def _part(self, file: HubFile) -> Path:
        part = self._folder / f"{file.name}.{file.digest[:16]}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        return part

    def _have(self, file: HubFile) -> int:
        """Bytes of a file that have come; a part that is too long does not count."""
        if (self._folder / file.name).is_file():
            return file.size
        try:
            have = self._part(file).stat().st_size
        except OSError:
            return 0
        return have if have <= file.size else 0


def _raise_for_status(utils: Any, response: Any) -> None:
    if response.status_code >= 400:
        response.read()  # the library wants to quote it
    utils.hf_raise_for_status(response)
