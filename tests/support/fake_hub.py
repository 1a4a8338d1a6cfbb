"""Serves as much of the Hugging Face hub as a download needs, on a loopback port."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" * 6 + "beef"


class FakeHub:
    """Serves one folder as the repository org/name; `requests` has the paths that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.agents: set[str] = set()
        """Caller, in its own words."""
        self.lying_about: set[str] = set()
        self.breaks_after: int | None = None
        """Bytes of a weights file after which the connection is cut, once."""
        self.files = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.endpoint = ""

    def info(self) -> dict[str, object]:
        return {
            "_id": "1",
            "id": "org/name",
            "sha": COMMIT,
            "private": False,
            "tags": [],
            "downloads": 0,
            "siblings": [self._sibling(name) for name in self.files],
        }

    def tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": path.stat().st_size, "oid": _etag(path)}
            | ({"lfs": self._lfs(name)} if _is_large(name) else {})
            for name, path in self.files.items()
        ]

    def _sibling(self, name: str) -> dict[str, object]:
        found: dict[str, object] = {"rfilename": name, "size": self.files[name].stat().st_size}
        return found | ({"lfs": self._lfs(name)} if _is_large(name) else {})

    def _lfs(self, name: str) -> dict[str, object]:
        data = self.files[name].read_bytes()
        digest = "0" * 64 if name in self.lying_about else hashlib.sha256(data).hexdigest()
        # Both spellings: the listing of a model and that of a tree differ.
        return {"sha256": digest, "oid": digest, "size": len(data), "pointerSize": 134}


def _is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextmanager
def serving(folder: Path) -> Iterator[FakeHub]:
    """Serve `folder` until the block ends."""
    hub = FakeHub(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(send_body=False)

        def do_GET(self) -> None:
            self._answer(send_body=True)

        def _answer(self, *, send_body: bool) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            hub.agents.add(self.headers.get("User-Agent", ""))
            path = self.path.partition("?")[0]
            prefix = f"/org/name/resolve/{COMMIT}/"
            if path.startswith("/api/models/org/name/tree/"):
                self._json(hub.tree())
            elif path.startswith("/api/models/org/name"):
                self._json(hub.info())
            elif path.startswith(prefix) and path.removeprefix(prefix) in hub.files:
                self._file(path.removeprefix(prefix), send_body=send_body)
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _json(self, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _file(self, name: str, *, send_body: bool) -> None:
            data = hub.files[name].read_bytes()
            start = 0
            if (asked := self.headers.get("Range", "")).startswith("bytes="):
                start = int(asked.removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("ETag", f'"{_etag(hub.files[name])}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            if not send_body:
                return
            if hub.breaks_after is not None and _is_large(name):
                self.wfile.write(data[start : hub.breaks_after])
                hub.breaks_after = None
                self.close_connection = True
                return
            self.wfile.write(data[start:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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
