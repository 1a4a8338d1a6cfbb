"""Serves as much of the Hugging Face hub as adding a model needs, on a loopback port.

Real files over real HTTP with range requests; slow, cut off in the middle, wrong or gone on demand.
As a program:

    python -m tests.support.fake_hub --folder DIR --port-file FILE [--slow BYTES_PER_S]
                                     [--cut-at 0.6] [--wrong-bytes]

DIR holds ORG/NAME/files.  The port is written to FILE, and to standard output.  While it runs,
POST /control with {"slow": N or null, "cut_at": 0.6 or null, "wrong_bytes": bool, "down": bool,
"gated": bool} changes what it does; GET /control tells the requests so far.
"""

import argparse
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" * 6 + "beef"
REVISION = re.compile(r"main|[0-9a-f]{40}")
SWITCHES = ("slow", "cut_at", "wrong_bytes", "down", "gated")
_BLOCK = 16 * 1024


class FakeHub:
    """Holds repositories, what goes wrong with them, and what was asked for."""

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories = repositories
        self.commit = COMMIT
        self.license = "apache-2.0"
        self.requests: list[str] = []
        self.agents: set[str] = set()
        """Callers, in their own words."""
        self.ranges: list[int] = []
        """Bytes at which the answers about large files began."""
        self.lying_about: set[str] = set()
        self.slow: int | None = None
        """Bytes a second of a large file."""
        self.cut_at: float | None = None
        """Share of a large file after which the connection is cut, once."""
        self.is_gone_after_cut = False
        self.wrong_bytes = False
        self.down = False
        self.gated = False
        self.endpoint = ""

    def files(self, repository: str) -> dict[str, Path]:
        """Returns the files of a repository by their names in it."""
        folder = self.repositories[repository]
        return {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def info(self, repository: str, revision: str) -> dict[str, object]:
        """Returns what the hub says of a repository at a commit; each has the same files."""
        return {
            "_id": "1",
            "id": repository,
            "sha": self.commit if revision == "main" else revision,
            "private": False,
            "tags": [],
            "downloads": 0,
            "cardData": {"license": self.license},
            "siblings": [
                self._sibling(name, path) for name, path in self.files(repository).items()
            ],
        }

    def _sibling(self, name: str, path: Path) -> dict[str, object]:
        size = path.stat().st_size
        found: dict[str, object] = {"rfilename": name, "size": size, "blobId": digest(path)}
        if not is_large(name):
            return found
        sha256 = "0" * 64 if name in self.lying_about else digest(path, "sha256")
        return found | {"lfs": {"sha256": sha256, "size": size, "pointerSize": 134}}


def is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin", ".gguf"))


def digest(path: Path, kind: str = "git") -> str:
    return _digest(path, kind, path.stat().st_mtime_ns)


@cache
def _digest(path: Path, kind: str, _: int) -> str:
    whole = hashlib.sha256() if kind == "sha256" else hashlib.sha1()
    if kind == "git":
        whole.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            whole.update(block)
    return whole.hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for name in SWITCHES:
            if name in asked:
                setattr(self.hub, name, asked[name])
        self._json({name: getattr(self.hub, name) for name in SWITCHES})

    def _answer(self, *, send_body: bool) -> None:
        hub, path = self.hub, self.path.partition("?")[0]
        if path == "/control":
            self._json({"requests": hub.requests})
            return
        hub.requests.append(f"{self.command} {self.path}")
        hub.agents.add(self.headers.get("User-Agent", ""))
        if hub.down:
            self.close_connection = True
            return
        api = path.startswith("/api/models/")
        parts = path.removeprefix("/api/models/").strip("/").split("/", 4)
        repository, rest = "/".join(parts[:2]), parts[2:]
        if repository not in hub.repositories:
            self._refuse(404, "RepoNotFound")
        elif not REVISION.fullmatch(revision := rest[1] if len(rest) > 1 else "main"):
            self._refuse(404, "RevisionNotFound")
        elif api:
            self._json(hub.info(repository, revision))
        elif hub.gated:
            self._refuse(403, "GatedRepo")
        elif rest[:1] == ["resolve"] and rest[-1] in (files := hub.files(repository)):
            self._file(rest[-1], files[rest[-1]], send_body=send_body)
        else:
            self._refuse(404, "EntryNotFound")

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, name: str, path: Path, *, send_body: bool) -> None:
        size, start = path.stat().st_size, 0
        if (asked := self.headers.get("Range", "")).startswith("bytes="):
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("ETag", f'"{digest(path)}"')
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        if send_body:
            self._body(name, path, start, size)

    def _body(self, name: str, path: Path, start: int, size: int) -> None:
        hub, end = self.hub, size
        if is_large(name):
            hub.ranges.append(start)
            if hub.cut_at is not None:
                end, hub.cut_at = max(start, int(size * hub.cut_at)), None
        with path.open("rb") as file:
            file.seek(start)
            while (left := end - file.tell()) > 0 and not hub.down:
                block = file.read(min(left, _BLOCK))
                if hub.wrong_bytes and is_large(name):
                    block = bytes(len(block))
                try:
                    self.wfile.write(block)
                except OSError:  # the caller has gone
                    self.close_connection = True
                    return
                if hub.slow and is_large(name):
                    time.sleep(len(block) / hub.slow)
            whole = file.tell() == size
        if not whole:
            hub.down = hub.down or hub.is_gone_after_cut
            self.close_connection = True


@contextmanager
def serving_all(hub: FakeHub, port: int = 0) -> Iterator[FakeHub]:
    """Serve until the block ends."""
    handler = type("OfHub", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving(folder: Path) -> Iterator[FakeHub]:
    """Serve `folder` as the repository org/name until the block ends."""
    with serving_all(FakeHub({"org/name": folder})) as hub:
        yield hub


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port-file", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slow", type=int, metavar="BYTES_PER_S")
    parser.add_argument("--cut-at", type=float, metavar="SHARE")
    parser.add_argument("--wrong-bytes", action="store_true")
    args = parser.parse_args()
    hub = FakeHub(
        {
            path.relative_to(args.folder).as_posix(): path
            for path in sorted(args.folder.glob("*/*"))
            if path.is_dir()
        }
    )
    hub.slow, hub.cut_at, hub.wrong_bytes = args.slow, args.cut_at, args.wrong_bytes
    with serving_all(hub, args.port):
        port = hub.endpoint.rpartition(":")[2]
        if args.port_file is not None:
            partial = args.port_file.with_suffix(".writing")
            partial.write_text(port)
            partial.replace(args.port_file)  # whoever waits for the file finds all of it
        print(port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
