"""Web pages, other hosts' names, and whoever does not know the token are kept out.

Each row is a request as a browser sends it; `test_browser` lets a real one try.
"""

import httpx
import pytest

from tests.http.conftest import Serve
from tests.support.http_server import RunningServer

PAGE = "https://evil.example"
BODY = b'{"input_prefix": "x = ", "input_suffix": ""}'
REQUESTS = {
    "fetch, no-cors": ("POST", "/infill", {"origin": PAGE, "content-type": "text/plain"}, 403),
    "fetch of JSON": ("POST", "/infill", {"origin": PAGE, "content-type": "application/json"}, 403),
    "preflight": (
        "OPTIONS",
        "/infill",
        {"origin": PAGE, "access-control-request-method": "POST"},
        403,
    ),
    "preflight of a private network": (
        "OPTIONS",
        "/infill",
        {"origin": PAGE, "access-control-request-private-network": "true"},
        403,
    ),
    "script element": ("GET", "/v1/models", {"sec-fetch-site": "cross-site"}, 403),
    "link": (
        "GET",
        "/v1/traces",
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        403,
    ),
    "page of another port": ("GET", "/v1/models", {"sec-fetch-site": "same-site"}, 403),
    "sandboxed frame": ("POST", "/infill", {"origin": "null", "content-type": "text/plain"}, 403),
    "page of this machine": (
        "POST",
        "/infill",
        {"origin": "http://localhost:3000", "content-type": "application/json"},
        403,
    ),
    "DNS rebinding": ("POST", "/infill", {"host": "evil.example:8012"}, 403),
    "DNS rebinding, read": ("GET", "/v1/traces", {"host": "evil.example"}, 403),
    "no name": ("GET", "/health", {"host": ""}, 403),
    "a name that begins like ours": ("GET", "/health", {"host": "localhost.evil.example"}, 403),
    "a name that ends like ours": ("GET", "/health", {"host": "127.0.0.1.evil.example"}, 403),
    "form of an old browser": (
        "POST",
        "/infill",
        {"content-type": "application/x-www-form-urlencoded"},
        415,
    ),
    "beacon of an old browser": ("POST", "/infill", {"content-type": "text/plain;a=b"}, 415),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_page_can_neither_ask_nor_read(name, server: RunningServer):
    method, path, headers, status = REQUESTS[name]
    response = httpx.request(method, server.url + path, content=BODY, headers=headers, timeout=60)
    assert status == response.status_code
    assert [] == [name for name in response.headers if name.startswith("access-control")]
    assert [] == server.engine.prompts
    assert "fim-lsp" not in response.text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:8012", "[::1]"]
)
def test_the_names_of_this_machine_are_ours(host, server: RunningServer):
    assert 200 == server.get("/health", host=host).status_code


def test_a_user_may_look_with_a_browser(server: RunningServer):
    assert 200 == server.get("/v1/traces", **{"sec-fetch-site": "none"}).status_code


def test_a_token_is_asked_for_where_one_is_set(serve: Serve):
    server = serve(token="correct")
    sent = {"input_prefix": "x = ", "input_suffix": ""}
    for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": "correct"},
                  {"authorization": "Bearer corre\u00e7t".encode("latin-1")}):  # fmt: skip
        response = httpx.post(f"{server.url}/infill", json=sent, headers=given, timeout=60)
        assert 401 == response.status_code
        assert "Bearer" == response.headers["www-authenticate"]
        assert "invalid_request_error" not in response.text
    assert 401 == server.get("/v1/traces").status_code
    assert 401 == server.get("/nothing").status_code
    assert [] == server.engine.prompts
    response = server.post("/infill", sent, authorization="Bearer correct")
    assert "first + second" == response.json()["content"]


def test_a_token_is_no_matter_where_none_is_set(server: RunningServer):
    """Many clients always send one."""
    assert 200 == server.get("/health", authorization="Bearer anything").status_code
