"""Bundles and engines' forms that were cut or had bits flipped: one sentence, or the same answers."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from model_runtime.models.bundle import ModelBundle
from tests.faults import forked
from tests.faults.servers import CHARACTER, ENGINE, LINE, TEXT, Home, serving
from tests.faults.tally import Count, Tally
from tests.faults.test_killed import accepting, hashes
from tests.support.wire import Wire

RANDOM_FLIPS, CUTS = 40, 8
FORM_HEADER = 300
"""Bytes at the beginning of an engine's file of which every tenth is flipped."""
EVERY = 10
"""Distance of the flipped bytes in a header."""

Damage = tuple[str, bytes]
"""Names what was done, and has the content that is left."""


def damages(path: Path, header: int, chance: random.Random) -> Iterator[Damage]:
    """Yields a file with a flipped bit at every tenth byte of its header and at others, and cut."""
    whole = path.read_bytes()
    places = [*range(0, header, EVERY)]
    places += [chance.randrange(header, len(whole)) for _ in range(RANDOM_FLIPS) if header]
    for place in places or chance.sample(range(len(whole)), RANDOM_FLIPS):
        changed = bytearray(whole)
        changed[place] ^= 1 << chance.randrange(8)
        yield f"a bit of byte {place} of {path.name}", bytes(changed)
    for _ in range(CUTS):
        length = chance.randrange(len(whole))
        yield f"{path.name} cut to {length} bytes", whole[:length]


class Loader:
    """A server that is told to load one model after the other."""

    def __init__(self, wire: Wire, count: Count) -> None:
        self._wire, self._count = wire, count

    def load(self, folder: Path, **settings: Any) -> tuple[str, str]:
        """Returns the state that came of it, and what the user is told."""
        own = {"model": str(folder), "engine": "onnx", **settings}
        self._wire.notify("workspace/didChangeConfiguration", {"settings": {"fimLsp": own}})
        while not self.status()["message"].startswith("loading"):
            pass
        while (status := self.status())["message"].startswith(("loading", "preparing")):
            pass
        return status["state"], status["message"]

    def status(self) -> dict[str, Any]:
        """Waits for the next one."""
        message = self._wire.receive(lambda message: message.get("method") == "fimLsp/status")
        status: dict[str, Any] = message["params"]
        return status

    def complete(self) -> list[str]:
        self._count.requests += 1
        items = self._wire.complete(LINE, CHARACTER, kind=1)["items"]
        self._count.answered += 1
        return [item["insertText"] for item in items]


@contextmanager
def loading(home: Home, count: Count) -> Iterator[Loader]:
    """Starts the server; it is the same one after all."""
    process, wire = forked.start_server(home)
    wire.initialize(initializationOptions={"model": "/nowhere", "threads": 1})
    try:
        loader = Loader(wire, count)
        while loader.status()["state"] != "error":
            pass
        wire.open(TEXT)
        yield loader
        assert process.is_alive()
        count.memory_mb = max(count.memory_mb, memory_mb(process.pid))
        wire.shut_down()
        process.join()
    finally:
        process.kill()
        wire.close()
    assert 0 == process.exitcode
    assert "Traceback" not in (home.path / "server.log").read_text()


def memory_mb(process_id: int | None) -> float:
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))


def header_of(path: Path) -> int:
    """Length of what describes the rest: JSON in a safetensors file, and all of a manifest."""
    if path.suffix == ".safetensors":
        return 8 + int.from_bytes(path.read_bytes()[:8], "little")
    return path.stat().st_size - 1 if path.name == "manifest.json" else 0


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_bundle_gives_one_sentence_and_no_model(
    home: Home, tiny: ModelBundle, tally: Tally, chance: random.Random, name: str
):
    count = tally.of(f"{name} cut, or a bit flipped")
    path = home.path / "bundle" / name
    shutil.copytree(tiny.path, path.parent)
    with loading(home, count) as loader:
        for what, content in damages(tiny.path / name, header_of(tiny.path / name), chance):
            path.write_bytes(content)
            state, message = loader.load(path.parent)
            count.injected += 1
            if state == "ready":  # JSON may have another letter case or blank where none counts
                assert harmless(tiny.path / name, content), what
                loader.load(Path("/nowhere"))
            else:
                assert message, what
                assert "\n" not in message and len(message) < 500, (what, message)
                count.errors_shown += 1
            count.survived += 1


def harmless(path: Path, content: bytes) -> bool:
    """Tells whether a damaged file says what the whole one says."""
    return path.name == "manifest.json" and content.strip() == path.read_bytes().strip()


def test_a_damaged_form_of_an_engine_is_made_again(
    home: Home, tiny: ModelBundle, tally: Tally, chance: random.Random
):
    count = tally.of("engine's form cut, or a bit flipped")
    with loading(home, count) as loader:
        assert "ready" == loader.load(tiny.path)[0]
        expected = loader.complete()
        (form,) = home.derived.iterdir()
        whole = hashes(form)
        kept = home.path / "kept"
        shutil.copytree(form, kept)
        for name in sorted(whole):
            header = min(FORM_HEADER, (kept / name).stat().st_size - 1)
            for what, content in damages(kept / name, header, chance):
                (form / name).write_bytes(content)
                count.injected += 1
                loaded = loader.load(tiny.path, threads=1 + count.injected % 2)
                assert ("ready", "") == loaded, what
                assert whole == hashes(form), what
                count.survived += 1
        assert expected == loader.complete()


@pytest.mark.parametrize(
    "content",
    [
        '{"version": 1, "counts": {"model": {"0.5": {"accepted": "many", "typed": NaN}}}}',
        '{"version": 1, "counts": {"model": {"0.5": {"rejected": 1e300, "typed": -1}}}}',
        '{"version": 3, "counts": 7}',
        "[[]]",
        None,
    ],
    ids=["no numbers", "too much and too little", "another version", "another shape", "a folder"],
)
def test_counts_that_were_tampered_with_are_said_once_and_cost_no_suggestion(
    home: Home, tally: Tally, content: str | None
):
    count = tally.of("counts tampered with")
    home.counts.parent.mkdir(parents=True)
    if content is None:
        home.counts.mkdir()
    else:
        home.counts.write_text(content)
    with serving(home, ENGINE) as server:
        server.become_ready(debounceMs=0, projectMemory=False)
        accepted = accepting(server.wire)
        count.injected += 1
        for _ in range(25):
            next(accepted)
            count.requests, count.answered = count.requests + 1, count.answered + 1
        server.wire.shut_down()
        assert 0 == server.process.wait(20)
        warnings = [line for line in server.read_log().splitlines() if "WARNING" in line]
    (said,) = warnings
    assert str(home.counts) in said
    count.survived += 1
