"""`manifest.json`: what a bundle says of itself, so that serving need not guess anything.

{"format_version": 2, "name": "default",
 "prompt": {"template": [1, {"slot": "suffix"}, 2, ..., 3], "end": 0, ..., "hole_start": "line"},
 "context_length": 1024, "decoder": {"layers": 8, ...}, "parameters": 33600000,
 "weights": {"dtype": "int8", "family": "", "sha256": "...", "size": 33800000},
 "tokenizer": {"sha256": "...", "size": 1200000}, "license": "Apache-2.0",
 "languages": ["python"], "training": {...}, "canary": {"prefix": "...", ..., "ids": [...]},
 "calibration": {"points": [{"eagerness": 0.5, "probability": 0.6, "acceptance": 0.2}, ...], ...},
 "content_sha256": "..."}

The last entry is a hash of all others, so that one changed digit is noticed, which no engine could
see: another number of heads gives other answers, and no error.  Manifests of version 1 are read as
well (`manifest_v1`); what is written is always version 2.
"""

# Annotations are evaluated here: cattrs drops the ranges of those that are only text.

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from model_runtime.errors import BundleError, shown
from model_runtime.model_files import UnusableFile, parse_json
from model_runtime.models.calibration import Calibration
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.limits import MAX_CONTEXT, MIN_CONTEXT, Between
from model_runtime.prompt.format import PromptFormat

FORMAT_VERSION = 2
WEIGHT_DTYPES = ("int8", "float16", "bfloat16", "float32")
NO_WEIGHTS: Literal["none"] = "none"
"""Stands for the number type where a server has the weights, and the bundle has none."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Identifies a file of the bundle."""

    sha256: str
    size: Annotated[int, Between(0, 2**50)]
    """Bytes."""


@dataclass(frozen=True, slots=True)
class WeightsFacts(FileFacts):
    """Identifies the weights file, and says how its tensors are stored."""

    dtype: Literal["int8", "float16", "bfloat16", "float32", "none"]
    """Number type of the matrices; vectors are float32 always.  See `NO_WEIGHTS`."""
    family: str = ""
    """Name of the family whose checkpoints' names and row orders the file keeps; empty where it has
    the canonical ones of `decoder`."""


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
    """Format of the prompts, and of what ends an answer."""
    context_length: Annotated[int, Between(MIN_CONTEXT, MAX_CONTEXT)]
    """Most ids that prompt and answer may have together."""
    decoder: DecoderSpec
    parameters: int
    """Number of weights, for people; must be that of `decoder`."""
    weights: WeightsFacts
    tokenizer: FileFacts
    canary: Canary
    license: str = "unknown"
    languages: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    """Free summary for people: data, steps, tokens seen, scores."""
    calibration: Calibration | None = None
    """Confidence that is needed at each eagerness, as measured; None where nobody measured."""
    context_sources: tuple[str, ...] = ()
    """Kinds of parts of other files that were measured to help this model, as the setting
    `crossFileContext` names them.
    """

    def to_json(self) -> str:
        """Returns the text of `manifest.json`."""
        from model_runtime.models import schema  # see `from_json`

        values = {"format_version": FORMAT_VERSION, **schema.write(self)}
        if self.calibration is None:
            del values["calibration"]
        elif not self.calibration.languages:
            del values["calibration"]["languages"]
        if not self.context_sources:
            del values["context_sources"]
        return signed(values)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Parses and checks the text of `manifest.json`.

        Raises:
            BundleError: it cannot be used; the message names every problem that was found.
        """
        # cattrs is loaded when a bundle is opened; a server has it from pygls by then.
        from model_runtime.models import manifest_v1, schema

        try:
            raw = parse_json(text)
        except UnusableFile as error:
            raise BundleError(str(error)) from error
        version = raw.get("format_version")
        if version not in (1, FORMAT_VERSION) or isinstance(version, bool):
            raise BundleError(
                f"its format_version is {shown(version)} and this version of fim-lsp reads 1 and "
                f"{FORMAT_VERSION}; update fim-lsp, or add the model again"
            )
        if _HASH in raw and raw.pop(_HASH) != _hash(raw):  # earlier versions wrote none
            raise BundleError(
                "the manifest was changed after it was written; add the model again, or, if you "
                "changed it yourself, confirm that with: fim-runtime models sign FOLDER"
            )
        del raw["format_version"]
        try:
            manifest = schema.read(manifest_v1.upgraded(raw) if version == 1 else raw, cls)
        except schema.Problems as error:
            raise BundleError(str(error)) from error
        if problems := manifest._conflicts():
            raise BundleError("; ".join(problems))
        return manifest

    def _conflicts(self) -> list[str]:
        """Returns what does not fit together, though each entry is possible by itself."""
        found = [f"decoder: {problem}" for problem in self.decoder.conflicts()]
        if not self.name.isprintable():
            found.append(f"name {shown(self.name)} has characters that cannot be printed")
        found += [
            f"sentinel id {shown(id_)} is not in the vocabulary of {self.decoder.vocab} ids; "
            "correct it where the format is stated"
            for id_ in sorted(self.prompt.special_ids)
            if not 0 <= id_ < self.decoder.vocab
        ]
        if not found and self.parameters != (count := self.decoder.count_parameters()):
            found.append(f"parameters says {shown(self.parameters)}, the decoder has {count}")
        return found


_HASH = "content_sha256"


def signed(raw: Mapping[str, Any]) -> str:
    """Returns the text of a manifest with these entries and the hash that belongs to them."""
    content = {name: value for name, value in raw.items() if name != _HASH}
    return json.dumps({**content, _HASH: _hash(content)}, indent=1, ensure_ascii=False) + "\n"


def _hash(content: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the entries as JSON in one spelling: sorted, and without white space."""
    spelled = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(spelled.encode()).hexdigest()
