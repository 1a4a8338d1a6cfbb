"""`manifest.json`: what a bundle says of itself, so that serving need not guess anything.

{"format_version": 2, "name": "default",
 "prompt": {"template": [1, {"slot": "suffix"}, 2, ..., 3], "end": 0, ..., "hole_start": "line"},
 "context_length": 1024, "position_embedding": "rotary", "architecture": {"layers": 8, ...},
 "parameters": 33600000, "weights": {"dtype": "int8", "sha256": "...", "size": 33800000},
 "tokenizer": {"sha256": "...", "size": 1200000}, "license": "Apache-2.0",
 "languages": ["python"], "training": {...}, "canary": {"prefix": "...", ..., "ids": [...]},
 "calibration": {"points": [{"eagerness": 0.5, "probability": 0.6, "acceptance": 0.2}, ...], ...},
 "content_sha256": "..."}

In format 1 the entries order, hole_start and tokens stand in place of prompt.

The last entry is a hash of all others, so that one changed digit is noticed, which no engine could
see: another number of heads gives other answers, and no error.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from model_runtime.errors import BundleError, shown
from model_runtime.model_files import UnusableFile, parse_json
from model_runtime.models.calibration import Calibration, CalibrationPoint
from model_runtime.models.decoder import MAX_CONTEXT, Architecture
from model_runtime.prompt.format import HoleStart, PromptFormat, read_hole_start
from model_runtime.prompt.orders import FimTokens, Order

FORMAT_VERSION = 2
READ_VERSIONS = (1, 2)
MIN_CONTEXT = 8
"""Tokens of a context; a prompt without any text has four."""
POSITION_EMBEDDINGS = ("rotary", "alibi")
WEIGHT_DTYPES = ("int8", "float16", "bfloat16", "float32")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Identifies a file of the bundle."""

    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class WeightsFacts(FileFacts):
    """Identifies the weights file, and says how its matrices are stored."""

    dtype: str


@dataclass(frozen=True, slots=True)
class Canary:
    """A request and its prompt's ids, as the code that made the bundle wrote them.

    Loading encodes the request again; other ids mean that the model has learned another format
    than this version speaks, which would show only as bad completions.
    """

    prefix: str
    suffix: str
    ids: tuple[int, ...]
    path: str = ""
    snippets: tuple[tuple[str, str], ...] = ()
    """(path, text) of each; none for a model that was not trained with snippets."""
    repository: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A validated `manifest.json`."""

    name: str
    prompt: PromptFormat
    """How prompts are written, and what ends an answer."""
    context_length: int
    """Most ids that prompt and answer may have together."""
    position_embedding: str
    architecture: Architecture
    parameters: int
    weights: WeightsFacts
    tokenizer: FileFacts
    canary: Canary
    license: str = "unknown"
    languages: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    """Free summary for people: data, steps, tokens seen, scores."""
    calibration: Calibration | None = None
    """How sure the model must be at each eagerness, as measured; None where nobody measured."""
    context_sources: tuple[str, ...] = ()
    """Kinds of parts of other files that were measured to help this model, as the setting
    `crossFileContext` names them.
    """

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        values = {
            "format_version": FORMAT_VERSION,
            **asdict(self),
            "prompt": self.prompt.to_json(),
        }
        if self.calibration is None:
            del values["calibration"]
        elif not self.calibration.languages:
            del values["calibration"]["languages"]
        if not self.context_sources:
            del values["context_sources"]
        return signed(values)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Parse and check.

        Raises:
            BundleError: it cannot be used; the message names every problem that was found.
        """
        try:
            raw = parse_json(text)
        except UnusableFile as error:
            raise BundleError(str(error)) from error
        version = raw.get("format_version")
        if version not in READ_VERSIONS:
            raise BundleError(
                f"its format_version is {shown(version)} and this version of fim-lsp reads "
                f"{' and '.join(map(str, READ_VERSIONS))}; update fim-lsp, or add the model again"
            )
        if _HASH in raw and raw.pop(_HASH) != _hash(raw):  # earlier versions wrote none
            raise BundleError(
                "the manifest was changed after it was written; add the model again, or, if you "
                "changed it yourself, confirm that with: fim-runtime models sign FOLDER"
            )
        reader = _Reader()
        manifest = reader.manifest(raw)
        if manifest is None or reader.problems:
            raise BundleError("; ".join(reader.problems))
        return manifest


_HASH = "content_sha256"


def signed(raw: Mapping[str, Any]) -> str:
    """The text of a manifest with these entries and the hash that belongs to them."""
    content = {name: value for name, value in raw.items() if name != _HASH}
    return json.dumps({**content, _HASH: _hash(content)}, indent=1, ensure_ascii=False) + "\n"


def _hash(content: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the entries as JSON in one spelling: sorted, and without white space."""
    spelled = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(spelled.encode()).hexdigest()


class _Reader:
    """Takes a JSON object apart and collects what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def manifest(self, raw: dict[str, Any]) -> Manifest | None:
        known = {entry.name for entry in fields(Manifest)}
        if raw.pop("format_version") == 1:
            known = (known - {"prompt"}) | {"order", "hole_start", "tokens"}
            prompt = self._prompt_of_order(raw)
        else:
            prompt = self._prompt(raw.get("prompt"))
        self.problems += [f"unknown entry {shown(name)}" for name in sorted(set(raw) - known)]
        architecture = self._record(raw, "architecture", Architecture)
        if architecture is not None:
            self.problems += [f"architecture: {problem}" for problem in architecture.problems()]
        weights = self._record(raw, "weights", WeightsFacts)
        tokenizer = self._record(raw, "tokenizer", FileFacts)
        canary = self._canary(raw.get("canary"))
        name = self._value(raw, "name", str)
        context_length = self._value(raw, "context_length", int)
        parameters = self._value(raw, "parameters", int)
        positions = self._choice(raw.get("position_embedding"), "position_embedding")
        license_ = self._value(raw, "license", str)
        languages = raw.get("languages", [])
        if not _is_list_of(languages, str):
            self.problems.append("languages must be a list of names")
        training = raw.get("training", {})
        if not isinstance(training, dict):
            self.problems.append("training must be an object")
        calibration = self._calibration(raw.get("calibration"))
        context_sources = raw.get("context_sources", [])
        if not _is_list_of(context_sources, str):
            self.problems.append("context_sources must be a list of names")
        if weights is not None and weights.dtype not in WEIGHT_DTYPES:
            self.problems.append(
                f"weights.dtype {shown(weights.dtype)} is not one of {WEIGHT_DTYPES}"
            )
        if isinstance(context_length, int) and not MIN_CONTEXT <= context_length <= MAX_CONTEXT:
            self.problems.append(
                f"context_length {shown(context_length)} is not between {MIN_CONTEXT} and "
                f"{MAX_CONTEXT}"
            )
        if isinstance(name, str) and not name.isprintable():
            self.problems.append(f"name {shown(name)} has characters that cannot be printed")
        if prompt is not None and architecture is not None:
            special = sorted(prompt.special_ids)
            self.problems += [
                f"sentinel id {shown(id_)} is not in the vocabulary of {architecture.vocab} ids; "
                "correct it where the format is stated"
                for id_ in special
                if not 0 <= id_ < architecture.vocab
            ]
        if self.problems:
            return None
        if parameters != architecture.count_parameters():
            self.problems.append(
                f"parameters says {shown(parameters)}, the architecture has "
                f"{architecture.count_parameters()}"
            )
        return Manifest(
            name=name,
            prompt=prompt,
            context_length=context_length,
            position_embedding=positions,
            architecture=architecture,
            parameters=parameters,
            weights=weights,
            tokenizer=tokenizer,
            canary=canary,
            license=license_,
            languages=tuple(languages),
            training=training,
            calibration=calibration,
            context_sources=tuple(context_sources),
        )

    def _prompt(self, value: object) -> Any:
        try:
            return PromptFormat.from_json(value)
        except ValueError as error:
            self.problems.append(f"prompt: {error}")
            return None

    def _prompt_of_order(self, raw: Mapping[str, Any]) -> Any:
        tokens = self._record(raw, "tokens", FimTokens)
        try:
            order = Order(raw.get("order"))
        except ValueError:
            known = ", ".join(order.value for order in Order)
            self.problems.append(
                f"order is {shown(raw.get('order'))}, not one of {known}; it is never guessed"
            )
            return None
        try:
            start = read_hole_start(raw.get("hole_start", HoleStart.CURSOR.value))
            return None if tokens is None else PromptFormat.of_order(order, tokens, start)
        except ValueError as error:
            self.problems.append(str(error))
            return None

    def _choice(self, value: object, name: str) -> str:
        if value not in POSITION_EMBEDDINGS:
            self.problems.append(f"{name} is {shown(value)}, not one of {POSITION_EMBEDDINGS}")
        return str(value)

    def _value(self, raw: Mapping[str, Any], name: str, kind: type) -> Any:
        value = raw.get(name)
        if not _is(value, kind):
            self.problems.append(f"{name} must be {_CALLED[kind.__name__]}, not {shown(value)}")
        return value

    def _record(self, raw: Mapping[str, Any], name: str, kind: type) -> Any:
        """A flat dataclass from a JSON object; None (and a problem) if that does not fit."""
        value = raw.get(name)
        if not isinstance(value, dict):
            self.problems.append(f"{name} must be an object, not {shown(value)}")
            return None
        before = len(self.problems)
        known = {entry.name: str(entry.type) for entry in fields(kind)}
        self.problems += [
            f"unknown entry {name}.{shown(key)}" for key in sorted(set(value) - set(known))
        ]
        for key, type_ in known.items():
            given = value.get(key)
            accepted = type_.split(" | ")
            if not any(_is(given, _TYPES[one]) for one in accepted):
                called = _CALLED[accepted[0]]
                self.problems.append(f"{name}.{key} must be {called}, not {shown(given)}")
        if len(self.problems) > before:
            return None
        try:
            return kind(**value)
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
            return None

    def _canary(self, value: object) -> Any:
        if not (
            isinstance(value, dict)
            and isinstance(value.get("prefix"), str)
            and isinstance(value.get("suffix"), str)
            and isinstance(value.get("path", ""), str)
            and isinstance(value.get("repository", ""), str)
            and _is_list_of(value.get("ids"), int)
            and _is_list_of(value.get("snippets", []), list)
            and all(_is_list_of(one, str) and len(one) == 2 for one in value.get("snippets", []))
        ):
            self.problems.append("canary must be an object of prefix, suffix, ids, path, snippets")
            return None
        return Canary(
            prefix=value["prefix"],
            suffix=value["suffix"],
            ids=tuple(value["ids"]),
            path=value.get("path", ""),
            snippets=tuple((path, text) for path, text in value.get("snippets", [])),
            repository=value.get("repository", ""),
        )

    def _calibration(self, value: object) -> Calibration | None:
        if value is None:
            return None
        before = len(self.problems)
        raw = value if isinstance(value, dict) else {}
        points: Any = raw.get("points")
        measured = raw.get("measured", "")
        languages: Any = raw.get("languages", {})
        if (
            not _is_list_of(points, dict)
            or not _is(measured, str)
            or not isinstance(languages, dict)
            or not all(_is_list_of(of_one, dict) for of_one in languages.values())
        ):
            self.problems.append("calibration must be an object of points, measured and languages")
            return None
        read = self._points(points, "calibration.points")
        of_languages = {
            name: self._points(of_one, f"calibration.languages.{name}")
            for name, of_one in languages.items()
        }
        if len(self.problems) > before:
            return None
        try:
            return Calibration(read, measured, of_languages)
        except ValueError as error:
            self.problems.append(f"calibration: {error}")
            return None

    def _points(self, points: Sequence[Any], name: str) -> tuple[Any, ...]:
        named = [{f"{name}[{number}]": point} for number, point in enumerate(points)]
        return tuple(self._record(one, key, CalibrationPoint) for one in named for key in one)


_TYPES: dict[str, type] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "None": type(None),
}
_CALLED = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}


def _is(value: object, kind: type) -> bool:
    if isinstance(value, bool) and kind is not bool:
        return False
    if kind is float:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind)


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(_is(one, kind) for one in value)
