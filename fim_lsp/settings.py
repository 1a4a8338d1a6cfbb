"""What the user can set, under the section `fimLsp`, by the same names in every editor.

Outside the names are camelCase, inside snake_case; `Settings.parse` is where they meet.  A wrong
value is named and left out; all others count.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from fim_lsp.exclusion.judge import problems_of
from model_runtime.engines import registry
from model_runtime.store.names import depends_on_the_working_folder

SECTION = "fimLsp"

CLIENT_KEYS = frozenset(
    {"trace", "server", "path", "command", "arguments", "serverPath", "interpreter", "address"}
)
"""Keys that editors' clients keep in the same section for themselves; not ours, and no mistake."""

CONTEXT_SOURCES = ("imports", "edits", "open", "twin", "siblings")
"""Where parts of other files may come from; `fim_lsp.context.source` says what each is."""


PROCESS_WIDE = ("model", "engine", "device", "threads", "unload_after_minutes", "log_level")
"""A process has one value of each of these, whoever is connected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings in force; the defaults are those of every editor."""

    enabled: bool = True
    """Off: every request is answered empty; the model stays loaded."""
    model: str = "default"
    """Name of a model, as `fim-runtime models list` has it, or its folder from the root or ~ on."""
    engine: str = "auto"
    """What runs the model: ctranslate2, onnx, torch, or auto for what is fastest here."""
    device: str = "auto"
    """auto, cpu or cuda."""
    threads: int = 0
    """Processor threads for the model; 0 chooses by itself."""
    context_tokens: int = 768
    """Most tokens of code that the model reads per request; more is slower."""
    max_new_tokens: int = 48
    """Most tokens that it writes."""
    unload_after_minutes: float = 30
    """Minutes without a request after which the model leaves memory until the next; 0: never."""
    debounce_ms: int | str = "auto"
    """Wait after a key, in milliseconds, in case another one follows; auto goes by the rhythm of
    the typing and the speed of the model.
    """
    time_limit_ms: int = 1000
    """After so many milliseconds typing gets what is whole of a suggestion by then; 0 for none."""
    idle_work: bool = True
    """Prepare for the next key in pauses, with a quarter of one core at the most."""
    multiline: str = "auto"
    """Suggestions of several lines: auto (where a block begins), never or always."""
    candidates: int = 3
    """Most suggestions when the user asks; typing gets one."""
    eagerness: float = 0.5
    """From 0 (only what is nearly certain) to 1 (whatever comes to mind)."""
    cross_file_context: bool | str | tuple[str, ...] = "auto"
    """Let the model see parts of other files: all there is (true), nothing (false), the kinds that
    are named, or auto for the kinds that are known to help this model.
    """
    workspace_index: bool = True
    """Look through the project's files once, in the background."""
    project_memory: bool = True
    """Offer the rest of a line as this project has written it before, without asking the model."""
    learn_from_use: bool = True
    """Count, on this machine only, what is taken of what is shown, and move the dial a little."""
    completion_fallback: bool = False
    """Offer an entry in the completion list of an editor that has no inline completion."""
    exclude: tuple[str, ...] = ()
    """Globs of files that the model never sees, besides the built-in list of secrets."""
    languages: tuple[tuple[str, bool], ...] = ()
    """Language ids and whether they are completed; "*" stands for all that are not named."""
    log_level: str = "info"
    """error, warning, info or debug; only debug writes code to the log."""

    @classmethod
    def parse(cls, raw: object, base: Settings | None = None) -> tuple[Settings, list[str]]:
        """Settings as sent, over `base` (the defaults), and a sentence for each problem.

        `raw` is the section's content; None, and None for a value, mean "not set".
        """
        base = base or cls()
        if raw is None:
            return base, []
        if not isinstance(raw, Mapping):
            return base, [f"{SECTION} must be an object, got {_shown(raw)}"]
        good: dict[str, Any] = {}
        problems = []
        for key, value in raw.items():
            rule = _RULES.get(key)
            if rule is None:
                problems += [] if key in CLIENT_KEYS else [_unknown(key)]
            elif value is not None:
                name = _snake_case(key)
                try:
                    good[name] = rule.read(value)
                except ValueError:
                    used = _shown(_outside(getattr(base, name)))
                    problems.append(
                        f"{key} must be {rule.expected}, got {_shown(value)}; using {used}"
                    )
        if "exclude" in good:  # a glob that is none does not take the others' force
            good["exclude"], of_globs = problems_of(good["exclude"])
            problems += of_globs
        return replace(base, **good), problems

    def shared_with(self, server: Settings) -> tuple[Settings, list[str]]:
        """Returns these settings with the server's process-wide ones, and what that changed.

        Returns the names that an editor knows for the second.
        """
        of_server = {name: getattr(server, name) for name in PROCESS_WIDE}
        changed = [
            key
            for key in _RULES
            if (name := _snake_case(key)) in of_server and getattr(self, name) != of_server[name]
        ]
        return replace(self, **of_server), changed

    def is_language_enabled(self, language_id: str) -> bool:
        """Whether documents of that language are completed."""
        chosen = dict(self.languages)
        return chosen.get(language_id, chosen.get("*", True))


def section_of(raw: object) -> object:
    """Our part of a configuration, or None when it says nothing of us.

    That is what stands under `fimLsp`, or the object itself when it holds our names.
    """
    if not isinstance(raw, Mapping):
        return None
    if SECTION in raw:
        return raw[SECTION]
    return raw if any(key in _RULES for key in raw) else None


class _Rule(NamedTuple):
    read: Callable[[object], object]
    """Gives the value to keep; raises ValueError."""
    expected: str


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError


def _one_of(*choices: str) -> _Rule:
    def read(value: object) -> str:
        if value in choices:
            return str(value)
        raise ValueError

    return _Rule(read, f"one of {', '.join(choices)}")


def _number(least: float, most: float) -> _Rule:
    def read(value: object) -> float:
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and least <= value <= most
        ):
            return float(value)
        raise ValueError

    return _Rule(read, f"a number from {least:g} to {most:g}")


def _whole(least: int, most: int) -> _Rule:
    number = _number(least, most)

    def read(value: object) -> int:
        as_float = number.read(value)
        if as_float == int(as_float):  # type: ignore[call-overload]
            return int(as_float)  # type: ignore[call-overload, no-any-return]
        raise ValueError

    return _Rule(read, f"a whole number from {least} to {most}")


def _auto_or(rule: _Rule) -> _Rule:
    def read(value: object) -> object:
        return value if value == "auto" else rule.read(value)

    return _Rule(read, f"auto or {rule.expected}")


def _model(value: object) -> str:
    """No path that a server in another folder would take for another model."""
    text = _text(value)
    if depends_on_the_working_folder(text):
        raise ValueError
    return text


def _context_sources(value: object) -> bool | str | tuple[str, ...]:
    if value == "auto" or isinstance(value, bool):
        return value
    if isinstance(value, list | tuple) and all(source in CONTEXT_SOURCES for source in value):
        return tuple(value)
    raise ValueError


def _globs(value: object) -> tuple[str, ...]:
    if value == {}:  # what an empty Lua table may become
        return ()
    if isinstance(value, list | tuple) and all(isinstance(glob, str) for glob in value):
        return tuple(value)
    raise ValueError


def _languages(value: object) -> tuple[tuple[str, bool], ...]:
    """A map from language id to boolean, or a list of ids to switch off."""
    if isinstance(value, list | tuple):
        value = dict.fromkeys(_globs(value), False)
    if isinstance(value, Mapping) and all(isinstance(on, bool) for on in value.values()):
        return tuple(sorted((str(language), on) for language, on in value.items()))
    raise ValueError


_RULES: dict[str, _Rule] = {
    "enabled": _Rule(_boolean, "true or false"),
    "model": _Rule(_model, "the name of a model, or its folder from the root or ~ on"),
    "engine": _one_of("auto", *registry.names()),
    "device": _one_of("auto", *registry.DEVICES),
    "threads": _whole(0, 1024),
    "contextTokens": _whole(32, 1_000_000),
    "maxNewTokens": _whole(1, 4096),
    "unloadAfterMinutes": _number(0, 10_080),
    "debounceMs": _auto_or(_whole(0, 10_000)),
    "timeLimitMs": _whole(0, 60_000),
    "idleWork": _Rule(_boolean, "true or false"),
    "multiline": _one_of("auto", "never", "always"),
    "candidates": _whole(1, 10),
    "eagerness": _number(0, 1),
    "crossFileContext": _Rule(
        _context_sources, f"auto, true, false or a list of {', '.join(CONTEXT_SOURCES)}"
    ),
    "workspaceIndex": _Rule(_boolean, "true or false"),
    "projectMemory": _Rule(_boolean, "true or false"),
    "learnFromUse": _Rule(_boolean, "true or false"),
    "completionFallback": _Rule(_boolean, "true or false"),
    "exclude": _Rule(_globs, "a list of globs"),
    "languages": _Rule(_languages, "a map from language ids to true or false"),
    "logLevel": _one_of("error", "warning", "info", "debug"),
}


def _unknown(key: object) -> str:
    nearest = difflib.get_close_matches(str(key), _RULES, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"there is no setting {_shown(key)}{hint}"


def _outside(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _shown(value: object) -> str:
    text = "true" if value is True else "false" if value is False else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _snake_case(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


# Settings, rules and documentation cannot drift apart: a field without a rule could never be set.
assert {_snake_case(name) for name in _RULES} == {field.name for field in fields(Settings)}
