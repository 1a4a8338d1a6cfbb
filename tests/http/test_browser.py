"""A page in a real browser can neither read what the server says nor make the model work."""

import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from tests.http.conftest import Serve
from tests.support.requirements import lacking

pytestmark = pytest.mark.editor  # that suite installs the browser

PAGE = """<!doctype html><script>
const target = "http://127.0.0.1:PORT";
const body = JSON.stringify({input_prefix: "x = ", input_suffix: ""});
const json = {"content-type": "application/json"};
const told = {};
async function attempt(name, work) {
  try { const answer = await work(); told[name] = `${answer.type} ${await answer.text()}`; }
  catch (error) { told[name] = "refused"; }
}
function element(name, tag, attributes) {
  return new Promise(done => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.onload = () => { told[name] = "loaded"; done(); };
    made.onerror = () => { told[name] = "refused"; done(); };
    document.head.append(made);
  });
}
(async () => {
  await attempt("fetch", () => fetch(`${target}/v1/models`));
  await attempt("post", () => fetch(`${target}/infill`, {method: "POST", headers: json, body}));
  await attempt("simple post",
    () => fetch(`${target}/infill`, {method: "POST", mode: "no-cors", body}));
  await attempt("rebound",
    () => fetch("http://rebound.example:PORT/infill", {method: "POST", mode: "no-cors", body}));
  await element("script", "script", {src: `${target}/v1/models`});
  told.beacon = String(navigator.sendBeacon(`${target}/infill`, body));
  await fetch("/told", {method: "POST", body: JSON.stringify(told)});
})();
</script>"""


@pytest.fixture(scope="module")
def chromium() -> str:
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        lacking("chromium", "no Chromium is installed; on Debian: apt-get install chromium")
    return str(found)


class Browser:
    """Opens pages without a window, as a user who went to a hostile site."""

    def __init__(self, path: str, profile: Path) -> None:
        self._command = [
            path, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            f"--user-data-dir={profile}", "--disable-dev-shm-usage",
            "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1",
        ]  # fmt: skip

    def open(self, address: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._command, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def content(self, address: str) -> str:
        done = subprocess.run(
            [*self._command, "--dump-dom", address], capture_output=True, timeout=120, check=True
        )
        return done.stdout.decode()


@pytest.fixture
def browser(chromium: str, tmp_path: Path) -> Browser:
    return Browser(chromium, tmp_path)


class Site:
    """A web server with the hostile page, which tells it what it could do."""

    def __init__(self, target: int) -> None:
        told: Queue[dict[str, str]] = Queue()
        page = PAGE.replace("PORT", str(target)).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page)

            def do_POST(self) -> None:
                told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.told = told
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://evil.example:{self.server.server_port}/"


@pytest.fixture
def site(serve: Serve) -> Iterator[tuple[Site, object]]:
    server = serve()
    hostile = Site(server.port)
    thread = threading.Thread(target=hostile.server.serve_forever)
    thread.start()
    yield hostile, server
    hostile.server.shutdown()
    hostile.server.server_close()
    thread.join()


def test_a_hostile_page_reads_nothing_and_triggers_nothing(browser: Browser, site):
    hostile, server = site
    running = browser.open(hostile.address)
    try:
        told = hostile.told.get(timeout=120)
    finally:
        running.terminate()
        running.wait()

    assert {"fetch": "refused", "post": "refused", "script": "refused"} == {
        name: told[name] for name in ("fetch", "post", "script")
    }
    # An opaque answer tells a page nothing; the beacon is sent, or not, without an answer.
    assert told["simple post"] in ("opaque ", "refused")
    assert told["rebound"] in ("opaque ", "refused")
    assert [] == server.engine.prompts
    assert [] == server.traces()


def test_a_page_under_a_name_that_was_made_to_point_here_reads_nothing(browser: Browser, site):
    _, server = site
    content = browser.content(f"http://rebound.example:{server.port}/v1/models")
    assert "the Host header names another server" in content
    assert "scripted" not in content


def test_a_user_sees_the_traces_in_a_browser(browser: Browser, site):
    _, server = site
    server.post("/infill", {"input_prefix": "x = ", "input_suffix": ""})
    assert "shown" in browser.content(f"http://127.0.0.1:{server.port}/v1/traces")
