"""The settings that a user can make, under the section `fimLsp`, by the same names in every editor.

`Settings` declares each of them once, with its type and range, its documentation and who may make
it: what the server reads, `docs/settings.md` and the settings of VS Code come from there (run
`make generate` after a change).  Outside the names are camelCase, inside snake_case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fim_lsp.exclusion.judge import problems_of
from fim_lsp.server_settings import ServerSettings
from fim_lsp.setting import Scope, SetBy, Setting, declare, declared_in
from fim_lsp.setting_types import (
    BOOLEAN,
    MODEL_NAME,
    OneOf,
    auto_all_or_some,
    auto_or,
    list_of,
    number,
    one_of,
    switches_of,
    whole_number,
)

SECTION = "fimLsp"

CLIENT_KEYS = frozenset(
    {"trace", "server", "path", "command", "arguments", "serverPath", "interpreter", "address",
     "keyHint", "workspace", "workspaceTrusted"}
)  # fmt: skip
"""Keys of the section that are no settings: of clients, and what `workspace_settings` reads."""

CONTEXT_SOURCES = ("imports", "edits", "open", "twin", "siblings")
"""Sources of parts of other files; `fim_lsp.context.source` says what each is."""


def _engines() -> tuple[str, ...]:
    from model_runtime.engines import kind, registry  # read late: the table may have become longer

    return (kind.AUTO, *registry.names())


def _devices() -> tuple[str, ...]:
    from model_runtime.engines import kind

    return (kind.AUTO, *kind.DEVICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServerSettings):
    """Settings in force; the defaults are those of every editor.

    `parse` alone makes them of values that may be wrong.
    """

    enabled: bool = declare(True, BOOLEAN, "Suggest code. When off, the model stays loaded.")
    model: str = declare(
        "auto",
        MODEL_NAME,
        "Name of a model, as `fim-runtime models list` prints it, or its folder from the root or "
        "`~` on; `auto` is your choice, else the embedded one.",
        scope=Scope.PROCESS,
        set_by=SetBy.TRUSTED_PROJECT,
    )
    offer_models: bool = declare(
        True,
        BOOLEAN,
        "Offer once to fetch a better model while only the embedded one is there.",
        set_by=SetBy.TRUSTED_PROJECT,
    )
    eagerness: float = declare(
        0.5,
        number(0, 1),
        "How sure a suggestion must be: from 0 (nearly certain) to 1 (a guess will do).",
    )
    multiline: str = declare(
        "auto",
        one_of("auto", "never", "always"),
        "Suggest several lines at once; `auto` does so where a block begins.",
    )
    languages: tuple[tuple[str, bool], ...] = declare(
        (),
        switches_of("language ids"),
        'Languages to complete or not, as in `{"markdown": false}`; `"*"` stands for the rest.',
    )
    exclude: tuple[str, ...] = declare(
        (),
        list_of("globs"),
        "Patterns as in `.gitignore` of files that the model never sees, besides all secrets.",
    )
    candidates: int = declare(
        3, whole_number(1, 10), "Number of suggestions when you ask for them; typing gets one."
    )
    cross_file_context: bool | str | tuple[str, ...] = declare(
        "auto",
        auto_all_or_some(*CONTEXT_SOURCES),
        "Parts of other files that the model sees: all (`true`), none (`false`), those that help "
        f"this model (`auto`), or a list of {', '.join(f'`{it}`' for it in CONTEXT_SOURCES)}.",
    )
    workspace_index: bool = declare(
        True,
        BOOLEAN,
        "Look through the project's files once, in the background, for lines and definitions.",
    )
    project_memory: bool = declare(
        True,
        BOOLEAN,
        "Suggest the rest of a line as this project has written it before, without the model.",
    )
    learn_from_use: bool = declare(
        True,
        BOOLEAN,
        "Count, on this machine only, how many suggestions you take, and adjust `eagerness` a "
        "little. `fim-lsp stats` shows and deletes the counts.",
    )
    context_tokens: int = declare(
        768,
        whole_number(32, 1_000_000),
        "Most tokens of code that the model reads for a suggestion; more is slower.",
    )
    max_new_tokens: int = declare(
        48, whole_number(1, 4096), "Most tokens of a suggestion; twice for blocks that you request."
    )
    debounce_ms: int | str = declare(
        "auto",
        auto_or(whole_number(0, 10_000)),
        "Milliseconds to wait after a key in case another follows; `auto` adapts to your typing "
        "and the model.",
    )
    time_limit_ms: int = declare(
        1000,
        whole_number(0, 60_000),
        "While you type, show what is complete of a suggestion after so many milliseconds; 0 waits "
        "for its end.",
    )
    idle_work: bool = declare(
        True,
        BOOLEAN,
        "Prepare for the next key in pauses, with a quarter of a core at most, not on battery.",
    )
    unload_after_minutes: float = declare(
        30,
        number(0, 10_080),
        "Minutes without a request after which the model leaves memory until the next one; 0 for "
        "never.",
        scope=Scope.PROCESS,
    )
    engine: str = declare(
        "auto",
        OneOf(_engines),
        "Library, or kind of server, that runs the model; `auto` takes the fastest library.",
        scope=Scope.PROCESS,
    )
    device: str = declare(
        "auto",
        OneOf(_devices),
        "Processor (`cpu`) or GPU (`cuda`) that the model runs on.",
        scope=Scope.PROCESS,
    )
    threads: int = declare(
        0,
        whole_number(0, 1024),
        "Processor threads for the model; 0 takes some of the cores.",
        scope=Scope.PROCESS,
    )
    prompt_memory_mb: int | str = declare(
        "auto",
        auto_or(whole_number(0, 1_000_000)),
        "Megabytes for texts that the model has read; `auto` fits them to free memory.",
        scope=Scope.PROCESS,
    )
    completion_fallback: bool = declare(
        False,
        BOOLEAN,
        "Offer an entry in the completion list of editors without inline completion.",
    )
    log_level: str = declare(
        "info",
        one_of("error", "warning", "info", "debug"),
        "Amount of detail in the server's log; only `debug` writes your code to it.",
        scope=Scope.PROCESS,
        set_by=SetBy.TRUSTED_PROJECT,
    )

    @classmethod
    def parse(cls, raw: object, base: Settings | None = None) -> tuple[Settings, list[str]]:
        """Reads settings as an editor sends them; a wrong one leaves the others in force.

        Args:
            raw: the section's content; None, and None for a value, mean "not set".
            base: what holds where nothing good is set; the defaults, if it is left out.

        Returns:
            The settings, and a sentence for each problem.
        """
        base = base or cls()
        if raw is None:
            return base, []
        if not isinstance(raw, Mapping):
            return base, [f"{SECTION} must be an object, got {_shown(raw)}"]
        good: dict[str, Any] = {}
        problems = []
        for key, value in raw.items():
            setting = SETTINGS.get(key)
            if setting is None:
                problems += [] if key in CLIENT_KEYS else [_unknown(key)]
            elif value is not None:
                try:
                    good[setting.name] = setting.type.read(value)
                except ValueError:
                    used = _shown(setting.as_json(getattr(base, setting.name)))
                    problems.append(
                        f"{key} must be {setting.type.expected}, got {_shown(value)}; using {used}"
                    )
        if "exclude" in good:  # a glob that is none does not put the others out of force
            good["exclude"], of_globs = problems_of(good["exclude"])
            problems += of_globs
        return replace(base, **good), problems

    def shared_with(self, server: Settings) -> tuple[Settings, list[str]]:
        """Returns these settings with the values of a shared server where a process has one value.

        The second result are the names that an editor knows for those that were replaced.
        """
        replaced = {
            setting.key: (setting.name, getattr(server, setting.name))
            for setting in SETTINGS.values()
            if setting.scope is Scope.PROCESS
            and getattr(self, setting.name) != getattr(server, setting.name)
        }
        return replace(self, **dict(replaced.values())), list(replaced)

    def is_language_enabled(self, language_id: str) -> bool:
        """Tells whether documents of a language are completed."""
        chosen = dict(self.languages)
        return chosen.get(language_id, chosen.get("*", True))


def section_of(raw: object) -> object:
    """Returns our part of a configuration, or None when it says nothing of us.

    That is the value under `fimLsp`, or the object itself when it holds our names.
    """
    if not isinstance(raw, Mapping):
        return None
    if SECTION in raw:
        return raw[SECTION]
    return raw if any(key in SETTINGS for key in raw) else None


SETTINGS: Mapping[str, Setting] = declared_in(Settings)
"""All settings by the names that users know, in the order in which users are shown them."""


def _unknown(key: object) -> str:
    from difflib import get_close_matches  # some milliseconds of every start

    nearest = get_close_matches(str(key), SETTINGS, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"there is no setting {_shown(key)}{hint}"


def _shown(value: object) -> str:
    text = "true" if value is True else "false" if value is False else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
