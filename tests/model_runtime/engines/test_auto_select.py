"""`auto`: measured once, remembered, and measured again when something has changed."""

import itertools
import json
from dataclasses import replace
from functools import partial

import pytest

from model_runtime import measurements
from model_runtime.engines.auto_select import Choice, Speed, open_auto_selected
from model_runtime.engines.kind import EngineKind, EngineOptions
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.errors import EngineUnavailable
from tests.support.random_models import VARIANTS, make_bundle

SLOW, QUICK = {"token_seconds": 0.004}, {}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("model"), VARIANTS["tied"])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(measurements, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache" / "engines"


class Kinds:
    """Two engines that are scripted; one without options cannot be opened."""

    def __init__(self, **options):
        self.options = options
        self.opened = []
        self.kinds = [
            EngineKind(name=name, package=package, open=partial(self._open, name))
            for name, package in (("one", "pytest"), ("other", "hypothesis"))
        ]

    def _open(self, name, bundle, options):
        if name not in self.options:
            raise EngineUnavailable(f"{name} does not run here")
        self.opened.append((name, ScriptedEngine(range(6, 400), **self.options[name])))
        return self.opened[-1][1]

    @property
    def names(self):
        return [name for name, _ in self.opened]

    def all_but_the_last_are_closed(self):
        return [False] == [engine.is_closed for _, engine in self.opened if not engine.is_closed]


def select(bundle, kinds, *, threads=0, **more):
    return open_auto_selected(bundle, EngineOptions(threads=threads), kinds=kinds.kinds, **more)


@pytest.mark.parametrize(
    ("options", "winner", "opened"),
    [
        ({"one": SLOW, "other": QUICK}, "other", ["one", "other"]),
        ({"one": QUICK, "other": SLOW}, "one", ["one", "other", "one"]),
    ],
)
def test_the_faster_engine_is_opened_and_no_other_stays_in_memory(bundle, options, winner, opened):
    kinds = Kinds(**options)

    engine, choice = select(bundle, kinds)

    assert winner == choice.engine
    assert opened == kinds.names
    assert engine is kinds.opened[-1][1]
    assert kinds.all_but_the_last_are_closed()
    assert all(speed.key_ms > 0 for speed in choice.speeds)


def test_a_key_is_measured_with_the_prompt_in_the_cache(bundle):
    """Each prompt begins as the one before and is a little longer, as while someone types."""
    kinds = Kinds(one=QUICK, other=QUICK)
    select(bundle, kinds)

    prompts = kinds.opened[0][1].prompts
    assert len(prompts) > 2
    for earlier, later in itertools.pairwise(prompts):
        assert later[: len(earlier)] == earlier
        assert len(later) == len(earlier) + 2
    assert max(map(max, prompts)) < bundle.manifest.decoder.vocab


def test_what_was_measured_is_remembered(bundle, cache):
    _, measured = select(bundle, Kinds(one=SLOW, other=QUICK))
    kinds = Kinds(one=SLOW, other=QUICK)
    _, remembered = select(bundle, kinds)

    assert measured == remembered
    assert ["other"] == kinds.names
    assert 1 == len(list(cache.iterdir()))


def test_it_can_be_measured_again(bundle, cache):
    select(bundle, Kinds(one=SLOW, other=QUICK))
    _, choice = select(bundle, Kinds(one=QUICK, other=SLOW), anew=True)

    assert "one" == choice.engine
    assert "one" == select(bundle, Kinds(one=QUICK))[1].engine
    assert 1 == len(list(cache.iterdir()))


@pytest.mark.parametrize("change", ["threads", "version", "machine", "model"])
def test_a_change_is_measured_anew(bundle, cache, tmp_path, change):
    select(bundle, Kinds(one=SLOW, other=QUICK), machine={"cores": 2})
    kinds = Kinds(one=QUICK, other=SLOW)
    if change == "version":
        kinds.kinds[0] = replace(kinds.kinds[0], package="pluggy")
    if change == "model":
        bundle = make_bundle(tmp_path, VARIANTS["sequential"])
    threads = 2 if change == "threads" else 0
    cores = 4 if change == "machine" else 2

    _, choice = select(bundle, kinds, threads=threads, machine={"cores": cores})

    assert "one" == choice.engine
    assert 2 == len(list(cache.iterdir()))


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"engine": "one"}',
        '{"engine": "gone", "speeds": []}',
        '{"engine": 1, "speeds": 2}',
        '{"engine": ["one"], "speeds": []}',
        '{"engine": {"one": 1}, "speeds": []}',
        '{"engine": "one", "speeds": [{"engine": "one", "key_ms": "fast"}]}',
        '{"engine": "one", "speeds": [["one"]]}',
        "[" * 100_000 + "]" * 100_000,
        '{"engine": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
)
def test_a_damaged_memory_is_replaced(bundle, cache, damage):
    select(bundle, Kinds(one=SLOW, other=QUICK))
    (path,) = cache.iterdir()
    path.write_text(damage)

    _, choice = select(bundle, Kinds(one=SLOW, other=QUICK))

    assert "other" == choice.engine
    assert "other" == json.loads(path.read_text())["engine"]


def test_a_cache_that_cannot_be_written_is_no_hindrance(bundle, cache):
    cache.parent.write_text("a file where the folder should be")

    assert "other" == select(bundle, Kinds(one=SLOW, other=QUICK))[1].engine


def test_an_engine_that_does_not_run_loses_and_says_why(bundle):
    _, choice = select(bundle, Kinds(other=SLOW))

    assert Speed("one", problem="one does not run here") == choice.speeds[0]
    assert "other" == choice.engine


def test_when_none_runs_the_first_says_why(bundle):
    with pytest.raises(EngineUnavailable, match="one does not run here"):
        select(bundle, Kinds())


def test_one_that_was_chosen_and_does_not_open_any_more_is_measured_again(bundle):
    select(bundle, Kinds(one=SLOW, other=QUICK))

    assert "one" == select(bundle, Kinds(one=SLOW))[1].engine


@pytest.mark.parametrize(
    "change",
    [{"package": "a-package-of-no-one"}, {"supports": lambda bundle: "it has no such layers"}],
    ids=["not installed", "not supported"],
)
def test_a_single_engine_is_not_measured(bundle, cache, change):
    kinds = Kinds(one=SLOW)
    kinds.kinds[1] = replace(kinds.kinds[1], **change)
    engine, choice = select(bundle, kinds)

    assert Choice("one") == choice
    assert [] == engine.prompts
    assert not cache.exists()


@pytest.mark.parametrize(
    ("options", "opened"), [({"one": SLOW}, "one"), ({"other": QUICK}, "other")]
)
def test_a_large_model_is_measured_only_on_request(bundle, cache, options, opened):
    engine, choice = select(bundle, Kinds(**options), large_bytes=1000)

    assert Choice(opened) == choice
    assert [] == engine.prompts
    assert not cache.exists()

    select(bundle, Kinds(one=SLOW, other=QUICK), anew=True)
    assert "other" == select(bundle, Kinds(one=SLOW, other=QUICK))[1].engine


def test_a_choice_that_was_forgotten_is_measured_again(bundle, cache):
    """A server does so whose engine has become slow."""
    _, first = select(bundle, Kinds(one=QUICK, other=SLOW))
    _, known = select(bundle, Kinds(one=SLOW, other=QUICK))
    assert "one" == first.engine == known.engine

    known.forget()
    _, found = select(bundle, Kinds(one=SLOW, other=QUICK))

    assert "other" == found.engine


def test_to_forget_a_choice_twice_is_no_error(bundle, cache):
    _, choice = select(bundle, Kinds(one=QUICK, other=SLOW))
    choice.forget()
    choice.forget()

    assert [] == list(cache.iterdir())
