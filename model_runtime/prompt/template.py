"""Pieces of which prompts are written: ids of sentinels, literal texts, and slots for what varies.

As JSON an id is a number, a literal text is `{"text": " "}` and a slot is `{"slot": "suffix"}`.
Where a tokenizer is at hand, a bare string names a token: `"<|fim_prefix|>"`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from model_runtime.errors import shown

IdOf = Callable[[str], "int | None"]
"""Returns the id of the token with this text, or None."""


class Slot(Enum):
    """A place in a template; the value is its name in JSON."""

    SUFFIX = "suffix"
    PREFIX = "prefix"
    CONTEXT = "context"
    """The repository's header, other files, and what closes them."""
    OWN_FILE = "own_file"
    """The path of the file that is completed."""
    REPOSITORY = "repository"
    """The name of the project; in patterns of `ContextFormat`, as the following ones."""
    PATH = "path"
    CONTENT = "content"
    """The text of another file, without the line ends behind it."""
    COMMENT = "comment"
    """The mark of a line comment in another file's language."""


Piece = int | str | Slot
"""The id of a sentinel, a literal text, or a slot."""
Pieces = tuple[Piece, ...]

IN_TEMPLATE = frozenset({Slot.SUFFIX, Slot.PREFIX, Slot.CONTEXT, Slot.OWN_FILE})
_IN_PATTERNS = {
    "repository": frozenset({Slot.REPOSITORY}),
    "file": frozenset({Slot.PATH, Slot.CONTENT, Slot.COMMENT}),
    "closing": frozenset[Slot](),
    "own_file": frozenset({Slot.PATH}),
}


@dataclass(frozen=True, slots=True)
class ContextFormat:
    """Patterns by which other files are written; by default each path stands in a comment."""

    file: Pieces = (Slot.COMMENT, " ", Slot.PATH, "\n", Slot.CONTENT, "\n")
    own_file: Pieces = ("# ", Slot.PATH, "\n")
    """Names the file that is completed; empty for models that are not told its path."""
    repository: Pieces = ()
    """Stands before the first file, where the project's name is known."""
    closing: Pieces = ()
    """Stands behind the last file."""
    names_lone_file: bool = False
    """Tells whether the file that is completed is named where no other file is shown."""
    share: float = 0.25
    """Part of a prompt's ids that other files get at most, 0 to 1."""

    def __post_init__(self) -> None:
        for name, allowed in _IN_PATTERNS.items():
            for slot in slots_of(getattr(self, name)):
                if slot not in allowed:
                    raise ValueError(
                        f"context.{name} has the slot {slot.value!r}, which does not belong there; "
                        f"it may have {_names(allowed)}"
                    )
        if Slot.CONTENT not in self.file:
            raise ValueError(
                'context.file has no place for the text of a file; add {"slot": "content"} to it'
            )
        if not 0 <= self.share <= 1:
            raise ValueError(f"context.share is {self.share}; give a number from 0 to 1")

    @classmethod
    def with_file_token(cls, file: int) -> ContextFormat:
        """Returns the format in which a token stands before each path."""
        return cls(
            file=(file, Slot.PATH, "\n", Slot.CONTENT, "\n"), own_file=(file, Slot.PATH, "\n")
        )

    @property
    def ids(self) -> tuple[int, ...]:
        """All special ids of the patterns, each once."""
        patterns = (self.repository, self.file, self.closing, self.own_file)
        return tuple(dict.fromkeys(id_ for pattern in patterns for id_ in ids_of(pattern)))

    @classmethod
    def from_json(cls, raw: object, id_of: IdOf | None = None) -> ContextFormat:
        """Reads the object `context` of a prompt format.

        Raises:
            ValueError: it does not fit; the message says what to change.
        """
        if not isinstance(raw, Mapping):
            raise ValueError(f"context must be an object, not {shown(raw)}")
        refuse_unknown(raw, (one.name for one in fields(cls)), "context.")
        values: dict[str, Any] = dict(raw)
        for name in _IN_PATTERNS:
            if name in raw:
                values[name] = read_pieces(raw[name], f"context.{name}", id_of)
        if not isinstance(values.get("names_lone_file", False), bool):
            raise ValueError("context.names_lone_file must be true or false")
        share = values.get("share", 0.25)
        if isinstance(share, bool) or not isinstance(share, int | float):
            raise ValueError(f"context.share must be a number from 0 to 1, not {shown(share)}")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object of what differs from the default."""
        default = ContextFormat()
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: write_pieces(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value != getattr(default, name)
        }


def ids_of(pieces: Iterable[Piece]) -> list[int]:
    """Returns the special ids among pieces.

    >>> ids_of((7, " ", Slot.PATH, 8))
    [7, 8]
    """
    return [piece for piece in pieces if isinstance(piece, int)]


def slots_of(pieces: Iterable[Piece]) -> list[Slot]:
    """Returns the slots among pieces."""
    return [piece for piece in pieces if isinstance(piece, Slot)]


def filled(
    pieces: Iterable[Piece],
    values: Mapping[Slot, str],
    encode: Callable[[str], Sequence[int]],
) -> list[int]:
    """Returns the ids of pieces; texts that stand side by side are encoded together.

    >>> filled((7, Slot.PATH, "!"), {Slot.PATH: "ab"}, lambda text: [ord(one) for one in text])
    [7, 97, 98, 33]
    """
    ids: list[int] = []
    text = ""
    for piece in pieces:
        if isinstance(piece, int):
            ids += [*(encode(text) if text else ()), piece]
            text = ""
        else:
            text += values.get(piece, "") if isinstance(piece, Slot) else piece
    return [*ids, *(encode(text) if text else ())]


def read_id(value: object, name: str, id_of: IdOf | None) -> int:
    """Returns the id that a JSON value states, by number or by the token's text.

    Raises:
        ValueError: it is neither, or there is no such token.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{name} must be the id of a token, not {shown(value)}")
    if id_of is None:
        raise ValueError(f"{name} is the text {shown(value)}; give the token's id")
    if (id_ := id_of(value)) is None:
        raise ValueError(
            f"{name} is {shown(value)}, which is no token of the tokenizer; correct its spelling"
        )
    return id_


def read_pieces(value: object, name: str, id_of: IdOf | None) -> Pieces:
    """Returns the pieces that a JSON list states.

    Raises:
        ValueError: an entry is no piece.
    """
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list of ids, slots and texts, not {shown(value)}")
    return tuple(_piece(one, f"{name}[{place}]", id_of) for place, one in enumerate(value))


def _piece(value: object, name: str, id_of: IdOf | None) -> Piece:
    if not isinstance(value, dict):
        return read_id(value, name, id_of)
    kind, content = next(iter(value.items()), ("", None))
    if len(value) == 1 and kind == "text" and isinstance(content, str) and content:
        return content
    if len(value) == 1 and kind == "slot":
        try:
            return Slot(content)
        except ValueError:
            raise ValueError(
                f"{name} is the slot {shown(content)}; slots are {_names(Slot)}"
            ) from None
    raise ValueError(f'{name} is {shown(value)}; give an id, {{"slot": NAME}} or {{"text": TEXT}}')


def write_pieces(pieces: Iterable[Piece]) -> list[Any]:
    """Returns the JSON list that `read_pieces` takes back."""
    return [
        piece
        if isinstance(piece, int)
        else {"slot": piece.value}
        if isinstance(piece, Slot)
        else {"text": piece}
        for piece in pieces
    ]


def refuse_unknown(raw: Mapping[str, Any], known: Iterable[str], where: str = "") -> None:
    """Raises a ValueError that names the first entry which is not known."""
    known = list(known)
    for name in raw:
        if name not in known:
            raise ValueError(f"unknown entry {where}{shown(name)}; known are {', '.join(known)}")


def _names(slots: Iterable[Slot]) -> str:
    return ", ".join(sorted(slot.value for slot in slots)) or "none"
