"""The decision to offer a model, its words, and what is remembered of the answer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from fim_lsp.model_offers import answers
from fim_lsp.model_offers.answers import Answers
from fim_lsp.model_offers.offer import OfferFacts, offer_of, why_not
from model_runtime.catalogue.entries import catalogue
from model_runtime.catalogue.fit import Assessment

TODAY = date(2026, 11, 28)
FACTS = OfferFacts("auto", True, "default", ["default"], Answers(), TODAY)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"answers": Answers(asked=TODAY - timedelta(days=1))}, ""),
        ({"answers": Answers(asked=TODAY)}, "asked today"),
        ({"answers": Answers(never=True)}, "never"),
        ({"is_allowed": False}, "`offerModels` is off"),
        ({"setting": "default"}, "`model` names one"),
        ({"setting": "/models/mine"}, "`model` names one"),
        ({"in_use": "mine"}, "others than the embedded one"),
        ({"in_use": ""}, "others than the embedded one"),
        ({"installed": ["default", "broken"]}, "others than the embedded one"),
    ],
)
def test_a_model_is_offered_only_to_who_has_none_and_has_not_said_no(changes: dict, reason: str):
    found = why_not(replace(FACTS, **changes))
    assert reason in found
    assert bool(reason) is bool(found)


def assessment(name: str, *, key_ms: float = 120.0, is_recommended: bool = True) -> Assessment:
    model = next(model for model in catalogue() if model.name == name)
    return Assessment(model, 900_000_000, key_ms, True, is_recommended, "it fits")


def test_the_offer_names_size_memory_speed_and_license_of_the_recommended_model():
    rows = [assessment("starcoder2-3b", is_recommended=False), assessment("qwen2.5-coder-0.5b")]
    offer = offer_of(rows)

    assert offer is not None
    assert "qwen2.5-coder-0.5b" == offer.model
    for words in ("491 MB to download", "0.9 GB of memory", "about 120 ms", "license"):
        assert words in offer.text
    assert "slower" not in offer.text
    assert "Download (491 MB)" == offer.accept


def test_a_slow_model_is_said_to_be_slow():
    offer = offer_of([assessment("qwen2.5-coder-0.5b", key_ms=430)])
    assert offer is not None
    assert "slower than most people type" in offer.text


def test_a_license_with_conditions_is_part_of_the_answer():
    conditional = next(model for model in catalogue() if not model.is_permissive)
    offer = offer_of([assessment(conditional.name)])
    assert offer is not None
    assert offer.accept.startswith("Accept the license and download (")
    assert conditional.license_url in offer.text


def test_nothing_is_offered_where_no_model_suits_the_machine():
    assert None is offer_of([])
    assert None is offer_of([assessment("qwen2.5-coder-0.5b", is_recommended=False)])


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "fim-lsp" / "offers.json"


def test_of_several_editors_one_asks_on_a_day(file: Path):
    assert [True, False] == [answers.note_asked(TODAY) for _ in range(2)]
    assert answers.note_asked(TODAY + timedelta(days=1))
    assert Answers(False, TODAY + timedelta(days=1)) == answers.read()


def test_never_stays_when_something_else_is_noted(file: Path):
    assert answers.note_never()
    answers.note_asked(TODAY)
    assert Answers(never=True, asked=TODAY) == answers.read()
    assert {"version": 1, "never": True, "asked": "2026-11-28"} == json.loads(file.read_text())


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"version": 0, "never": true}', '{"version": 1, "asked": "soon"}', "[" * 9000],
)
def test_what_cannot_be_understood_counts_as_nothing(file: Path, content: str):
    file.parent.mkdir()
    file.write_text(content)
    assert Answers() == answers.read()


def test_where_nothing_can_be_remembered_nothing_is_asked(file: Path):
    file.parent.write_text("a file where a folder should be")
    assert not answers.note_asked(TODAY)
    assert not answers.note_never()
