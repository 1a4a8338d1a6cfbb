"""Code is sent to no machine that its user has not allowed."""

import pytest

from model_runtime.engines.endpoint import Endpoint, address_of, key_of
from model_runtime.errors import EngineUnavailable


def checked(url, **more):
    return address_of(Endpoint(url, **more), "vllm", "http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://127.9.9.9:1", "http://127.9.9.9:1"),
        ("http://localhost:8000/v1", "http://localhost:8000"),
        ("https://[::1]:8443/models/a", "https://[::1]:8443/models/a"),
        ("http://LOCALHOST:80", "http://localhost:80"),
    ],
)
def test_an_address_of_this_machine_needs_no_leave(url, expected):
    address = checked(url)

    assert (expected, True) == (address.url, address.is_loopback)
    assert address.place.endswith("on this machine")


@pytest.mark.parametrize(
    "url",
    [
        "https://gpu.example.org/v1",
        "http://192.168.1.5:8000",
        "http://0.0.0.0:8000",
        "http://[fe80::1]:8000",
        "http://localhost.example.org:8000",
        "http://127.0.0.1.example.org",
        "http://[::ffff:8.8.8.8]:80",
        "http://2130706433:80",
        "http://0x7f000001:80",
    ],
)
def test_any_other_address_needs_leave(url):
    with pytest.raises(EngineUnavailable, match="is another machine, to which your code would"):
        checked(url)

    assert checked(url, allow_remote=True).place.endswith("on another machine")


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://127.0.0.1",
        "http://",
        "http:///x",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://127.0.0.1/?a=b",
        "http://127.0.0.1/#a",
        "http://127.0.0.1@gpu.example.org",
        "http://me:secret@127.0.0.1:8080",
        "http://127.0.0.1\n.example.org",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(EngineUnavailable, match="endpoint must be an address such as") as caught:
        checked(url, allow_remote=True)

    assert "secret" not in str(caught.value)


def test_an_engine_without_an_address_asks_for_one():
    with pytest.raises(EngineUnavailable, match=r"set endpoint, as in http://127\.0\.0\.1:8000"):
        checked("")


def test_a_key_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("MY_KEY", " sk-1\n")

    assert ("sk-1", "") == (key_of(Endpoint(key_variable="MY_KEY")), key_of(Endpoint()))


@pytest.mark.parametrize("value", [None, "", "two words", "sk-ü", "a\r\nX-Evil: 1"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(value, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)

    with pytest.raises(EngineUnavailable, match="'MY_KEY'") as caught:
        key_of(Endpoint(key_variable="MY_KEY"))
    assert not value or value not in str(caught.value)
