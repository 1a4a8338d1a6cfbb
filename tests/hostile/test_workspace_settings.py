"""A folder's own settings start nothing, send nothing anywhere, open no model and no log."""

from __future__ import annotations

import pytest

from fim_lsp.lsp.editor_settings import EditorSettings
from fim_lsp.setting import SetBy
from fim_lsp.settings import SETTINGS, Settings

VALUES = {
    "endpoint": "http://evil.example:80", "endpointKeyVariable": "AWS_SECRET_ACCESS_KEY",
    "allowRemote": True, "model": "/tmp/theirs", "fallbackModel": "/tmp/theirs", "logLevel": "debug",
    "offerModels": True,
}  # fmt: skip


def test_every_setting_that_is_not_for_any_project_is_tried():
    guarded = {key for key, one in SETTINGS.items() if one.set_by is not SetBy.ANY_PROJECT}

    assert guarded == set(VALUES)


@pytest.mark.parametrize("is_trusted", [False, True])
@pytest.mark.parametrize("key", VALUES)
def test_a_folder_sets_what_decides_over_the_users_code_only_where_it_may(key, is_trusted):
    settings = EditorSettings()
    settings.begin({"workspace": {key: VALUES[key]}, "workspaceTrusted": is_trusted})
    may = is_trusted and SETTINGS[key].set_by is SetBy.TRUSTED_PROJECT
    name = SETTINGS[key].name

    assert (getattr(settings.now, name) == SETTINGS[key].type.read(VALUES[key])) is (
        may or VALUES[key] == getattr(Settings(), name)
    )
    assert (f"this folder sets {key}" in settings.new_problems()) is not may


@pytest.mark.parametrize("trusted", [None, "true", 1, [True], {}])
def test_trust_is_said_by_true_alone(trusted):
    settings = EditorSettings()
    settings.begin({"workspace": {"model": "/tmp/theirs"}, "workspaceTrusted": trusted})

    assert "/tmp/theirs" != settings.now.model


def test_a_folder_adds_to_what_the_user_excludes_and_takes_nothing_back():
    settings = EditorSettings()
    settings.begin({"exclude": ["mine"], "workspace": {"exclude": ["theirs", "!mine"]}})

    assert ("theirs", "!mine", "mine") == settings.now.exclude


def test_other_settings_of_a_folder_count_and_later_ones_replace_them():
    settings = EditorSettings()
    settings.begin({"eagerness": 0.1, "workspace": {"eagerness": 0.9}})
    first = settings.now.eagerness
    settings.change({"eagerness": 0.2, "workspace": {"endpoint": "http://x"}})

    assert 0.9 == first
    assert 0.2 == settings.now.eagerness
    assert "" == settings.now.endpoint


@pytest.mark.parametrize("wrong", [5, "x", [], None, {"workspace": {"model": "x"}}])
def test_a_workspace_that_is_no_object_is_harmless(wrong):
    settings = EditorSettings()
    settings.begin({"workspace": wrong})

    assert Settings().model == settings.now.model
