from __future__ import annotations

import pytest

from fim_lsp.context import Source
from fim_lsp.setting import Scope
from fim_lsp.settings import CONTEXT_SOURCES, SETTINGS, Settings, section_of

GOOD = {
    "enabled": (False, False),
    "model": ("small", "small"),
    "offerModels": (False, False),
    "engine": ("onnx", "onnx"),
    "device": ("cuda", "cuda"),
    "threads": (4, 4),
    "promptMemoryMb": (200, 200),
    "contextTokens": (512, 512),
    "maxNewTokens": (32.0, 32),
    "unloadAfterMinutes": (0.5, 0.5),
    "debounceMs": (0, 0),
    "timeLimitMs": (0, 0),
    "idleWork": (False, False),
    "multiline": ("never", "never"),
    "candidates": (1, 1),
    "eagerness": (1, 1.0),
    "crossFileContext": (["open", "twin"], ("open", "twin")),
    "workspaceIndex": (False, False),
    "projectMemory": (False, False),
    "learnFromUse": (False, False),
    "completionFallback": (True, True),
    "exclude": (["*.gen.py"], ("*.gen.py",)),
    "languages": ({"markdown": False}, (("markdown", False),)),
    "logLevel": ("debug", "debug"),
    "endpoint": (" http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    "endpointModel": ("qwen", "qwen"),
    "endpointKeyVariable": ("MY_KEY", "MY_KEY"),
    "allowRemote": (True, True),
    "fallbackModel": ("default", "default"),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_setting_is_read_under_its_outside_name(name):
    given, kept = GOOD[name]
    settings, problems = Settings.parse({name: given})
    assert problems == []
    assert getattr(settings, SETTINGS[name].name) == kept


def test_every_setting_has_a_case():
    assert set(GOOD) == set(SETTINGS)


def test_every_kind_of_context_can_be_set():
    assert CONTEXT_SOURCES == tuple(source.value for source in Source)


@pytest.mark.parametrize("name", GOOD)
def test_a_kept_value_is_kept_when_it_is_read_again(name):
    _, kept = GOOD[name]
    assert SETTINGS[name].type.read(kept) == kept


@pytest.mark.parametrize("name", GOOD)
def test_a_default_is_right_as_a_user_would_write_it(name):
    setting = SETTINGS[name]
    assert Settings.parse({name: setting.as_json(setting.default)}) == (Settings(), [])


def test_a_shared_server_decides_on_what_its_process_has_once():
    server = Settings(model="theirs", threads=2, log_level="debug", candidates=1)
    ours, replaced = Settings(model="mine", threads=2, candidates=5).shared_with(server)

    assert Settings(model="theirs", threads=2, log_level="debug", candidates=5) == ours
    assert ["model", "logLevel"] == replaced
    assert all(SETTINGS[key].scope is Scope.PROCESS for key in replaced)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"debounceMs": "fast"}, "must be auto or a whole number from 0 to 10000, got 'fast'"),
        ({"debounceMs": -1}, "a whole number from 0 to 10000, got -1; using 'auto'"),
        ({"debounceMs": True}, "got true"),
        ({"timeLimitMs": "auto"}, "must be a whole number from 0 to 60000, got 'auto'; using 1000"),
        ({"debounceMs": 1.5}, "got 1.5"),
        ({"debounceMs": float("nan")}, "got nan"),
        ({"threads": True}, "threads must be a whole number from 0 to 1024, got true; using 0"),
        ({"eagerness": 2}, "eagerness must be a number from 0 to 1, got 2; using 0.5"),
        ({"enabled": "yes"}, "enabled must be true or false, got 'yes'; using true"),
        (
            {"engine": "gpu"},
            "engine must be one of auto, ctranslate2, llama-server, ollama, onnx, openai, torch, vllm, got 'gpu'",
        ),
        ({"endpoint": 8080}, "endpoint must be a text on one line, got 8080; using ''"),
        ({"endpoint": "http://a\n"}, "endpoint must be a text on one line"),
        ({"fallbackModel": "./mine"}, "its folder from the root or ~ on, or empty, got './mine'"),
        ({"engine": ["auto"]}, "got ['auto']; using 'auto'"),
        (
            {"model": ""},
            "model must be the name of a model, or its folder from the root or ~ on, got ''; using 'auto'",
        ),
        ({"model": "./mine"}, "its folder from the root or ~ on, got './mine'; using 'auto'"),
        ({"model": "models/mine"}, "got 'models/mine'"),
        ({"exclude": "*.py"}, "exclude must be a list of globs, got '*.py'; using []"),
        ({"exclude": [1]}, "got [1]"),
        ({"exclude": ["~nosuchuser/x"]}, "'~nosuchuser/x', which names nothing: there is no such"),
        ({"exclude": ["a["]}, "exclude has the glob 'a[', which names nothing: a bracket is not"),
        ({"languages": {"python": "no"}}, "languages must be a map from language ids"),
        ({"languages": 3}, "got 3"),
        ({"debouncMs": 5}, "there is no setting 'debouncMs'; did you mean debounceMs?"),
        ({"crossfileContext": True}, "did you mean crossFileContext?"),
        ({"x" * 200: 1}, "there is no setting 'xxx"),
        ([1], "fimLsp must be an object, got [1]"),
        ("on", "fimLsp must be an object, got 'on'"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(raw, problem):
    settings, problems = Settings.parse(raw)
    assert len(problems) == 1
    assert problem in problems[0]
    assert settings == Settings()


def test_good_values_stay_beside_wrong_ones():
    settings, problems = Settings.parse({"candidates": 5, "eagerness": "high", "nonsense": 1})
    assert settings == Settings(candidates=5)
    assert len(problems) == 2


def test_what_is_not_named_keeps_the_value_of_the_base():
    base = Settings(debounce_ms=10, model="mine")
    settings, problems = Settings.parse({"debounceMs": "x", "model": None, "threads": 2}, base)
    assert settings == Settings(debounce_ms=10, model="mine", threads=2)
    assert problems == [
        "debounceMs must be auto or a whole number from 0 to 10000, got 'x'; using 10"
    ]


def test_a_number_can_be_given_up_for_auto_again():
    assert Settings() == Settings.parse({"debounceMs": "auto"}, Settings(debounce_ms=10))[0]


@pytest.mark.parametrize("raw", [None, {}, {"trace": {"server": "off"}}, {"exclude": {}}])
def test_nothing_said_is_no_problem(raw):
    assert Settings.parse(raw) == (Settings(), [])


@pytest.mark.parametrize(
    ("languages", "language", "is_enabled"),
    [
        ({}, "python", True),
        ({"markdown": False}, "markdown", False),
        ({"markdown": False}, "python", True),
        (["markdown", "text"], "text", False),
        ({"*": False, "python": True}, "python", True),
        ({"*": False, "python": True}, "rust", False),
        ({"*": False}, "", False),
    ],
)
def test_languages_are_switched_by_their_id(languages, language, is_enabled):
    settings, problems = Settings.parse({"languages": languages})
    assert problems == []
    assert settings.is_language_enabled(language) is is_enabled


@pytest.mark.parametrize(
    ("raw", "section"),
    [
        ({"fimLsp": {"threads": 1}}, {"threads": 1}),
        ({"fimLsp": None}, None),
        ({"threads": 1}, {"threads": 1}),
        ({"python": {"threads": 1}}, None),
        ({}, None),
        (None, None),
        ([], None),
        ("x", None),
    ],
)
def test_our_section_is_found_in_what_a_client_pushes(raw, section):
    assert section_of(raw) == section


def test_settings_can_be_compared_and_hashed():
    """The cache of the completion path asks whether they are still the same."""
    first, _ = Settings.parse({"languages": {"a": True, "b": False}, "exclude": ["x"]})
    second, _ = Settings.parse({"exclude": ["x"], "languages": {"b": False, "a": True}})
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_documented_in_sentences_without_links(name):
    text = SETTINGS[name].documentation
    assert text.endswith(".")
    assert "](" not in text
    assert "|" not in text, "it stands in a table"


def test_a_glob_that_is_none_is_named_and_the_others_count():
    settings, (problem,) = Settings.parse({"exclude": ["*.js", "~nosuchuser/x", "made/"]})

    assert ("*.js", "made/") == settings.exclude
    assert "'~nosuchuser/x'" in problem


def test_of_too_many_globs_the_first_count():
    settings, (problem,) = Settings.parse({"exclude": ["a"] * 501})

    assert ("a",) * 500 == settings.exclude
    assert "more than 500 globs or 10,000 characters; those from number 501 on" in problem
