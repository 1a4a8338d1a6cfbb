"""The fill-in-the-middle format of a model: a template of sentinels and slots, and what ends it.

A manifest states the format of its model, and the canary checks the ids that come of it; nothing is
guessed from a model's name.  Whatever follows from a template is a property here: the ids that end
an answer, the part that is read again at every key, the roles by which other programs know the
sentinels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from model_runtime.errors import shown
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.template import (
    IN_TEMPLATE,
    ContextFormat,
    IdOf,
    Pieces,
    Slot,
    ids_of,
    read_id,
    read_pieces,
    refuse_unknown,
    slots_of,
    write_pieces,
)


class HoleStart(str, Enum):
    """Names the place where the hole begins; stated by manifests and recipes.

    In the second form what is typed on the cursor's line is no part of the prompt: the model writes
    the line from its start, and decoding must agree with the typed text (`forced_text`).  One more
    key then changes nothing of the prompt, in any order of its parts.
    """

    CURSOR = "cursor"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """States how the prompts of a model are written, and what ends its answers."""

    template: Pieces
    """Sentinels, slots and literal texts.  A text that stands directly before the prefix or the
    suffix is encoded together with it.
    """
    end: int
    """The id that training puts behind a middle."""
    bos: int | None = None
    """The id that stands before everything."""
    pad: int | None = None
    other_stops: tuple[int, ...] = ()
    """Ids that end an answer, beside END and the ids that prompts are written with."""
    stop_strings: tuple[str, ...] = ()
    """Texts that end an answer and are no part of it."""
    context: ContextFormat = ContextFormat()  # noqa: RUF009 - frozen
    hole_start: HoleStart = HoleStart.CURSOR

    def __post_init__(self) -> None:
        slots, ids = slots_of(self.template), self.sentinels
        for slot in (Slot.PREFIX, Slot.SUFFIX):
            if slots.count(slot) != 1:
                raise ValueError(
                    f"the template must have one place for the {slot.value}, not "
                    f'{slots.count(slot)}; write {{"slot": "{slot.value}"}} where it stands'
                )
        if misplaced := [slot.value for slot in slots if slot not in IN_TEMPLATE]:
            raise ValueError(f"the template has the slot {misplaced[0]!r}; it belongs to `context`")
        if len(set(slots)) != len(slots):
            raise ValueError("the template has a slot twice; leave one of the two out")
        alone = [*ids, self.end]
        shared = set(ids) & {*self.context.ids, self.bos, self.pad, *self.other_stops}
        if len(set(alone)) != len(alone) or shared:
            raise ValueError(f"two sentinels share one id: {self.spelled(str)}; give each its own")
        if "" in self.stop_strings:
            raise ValueError("a stop string is empty; leave it out")

    @classmethod
    def of_order(
        cls, order: Order, tokens: FimTokens, hole_start: HoleStart = HoleStart.CURSOR
    ) -> PromptFormat:
        """Returns the format of an order with these sentinels."""
        return cls(
            template=order.template(tokens),
            end=tokens.end,
            pad=tokens.pad,
            context=ContextFormat()
            if tokens.file is None
            else ContextFormat.with_file_token(tokens.file),
            hole_start=hole_start,
        )

    @property
    def sentinels(self) -> tuple[int, ...]:
        """Special ids of the template, in its order."""
        return tuple(ids_of(self.template))

    @property
    def special_ids(self) -> frozenset[int]:
        """Every special id that the format names."""
        optional = {id_ for id_ in (self.bos, self.pad) if id_ is not None}
        named = {self.end, *self.sentinels, *self.context.ids, *self.other_stops}
        return frozenset(named | optional)

    @property
    def text_start(self) -> int:
        """The id before a text without a hole: BOS where the model has one, else END."""
        return self.end if self.bos is None else self.bos

    @property
    def stop_ids(self) -> frozenset[int]:
        """Ids that end an answer: none of the special ones belongs into a middle."""
        return self.special_ids

    @property
    def is_suffix_first(self) -> bool:
        """Tells whether the suffix stands before the prefix, and so before all that is typed."""
        return self.template.index(Slot.SUFFIX) < self.template.index(Slot.PREFIX)

    @property
    def rereads_suffix(self) -> bool:
        """Tells whether each key changes the ids before the suffix, so that it is read again."""
        return not self.is_suffix_first and self.hole_start is HoleStart.CURSOR

    @property
    def roles(self) -> dict[str, int]:
        """Sentinels by role, as other programs name them: prefix, suffix, middle, pad, file, repo.

        SUF is the id before the suffix.  MID is the last one, unless there are only two; PRE is the
        first of the others.
        """
        found: dict[str, int | None] = {}
        found["suffix"] = next(iter(ids_of(reversed(self._before(Slot.SUFFIX)))), None)
        others = [id_ for id_ in self.sentinels if id_ != found["suffix"]]
        found["prefix"] = next(iter(others), None)
        found["middle"] = others[-1] if len(others) > 1 else None
        found["pad"] = self.pad
        found["file"] = next(iter(ids_of(self.context.file)), None)
        found["repo"] = next(iter(ids_of(self.context.repository)), None)
        return {role: id_ for role, id_ in found.items() if id_ is not None}

    @property
    def order(self) -> Order | None:
        """The order whose template this one is, whatever comes of other files; None for others."""
        roles = self.roles
        if not {"prefix", "suffix", "middle"} <= set(roles):
            return None
        own = [piece for piece in self.template if piece not in _ELSEWHERE]
        tokens = FimTokens(self.end, roles["suffix"], roles["prefix"], roles["middle"])
        for order in Order:
            if own == [piece for piece in order.template(tokens) if piece not in _ELSEWHERE]:
                return order
        return None

    @property
    def name(self) -> str:
        """The order's name for people, or "own" for a template of another kind."""
        return self.order.value if self.order is not None else "own"

    @property
    def form_name(self) -> str:
        """The order and where the hole begins, as in "spm2, line"."""
        return f"{self.name}, {self.hole_start.value}"

    def spelled(
        self, text_of: Callable[[int], str], prefix: str = "prefix", suffix: str = "suffix"
    ) -> list[str]:
        """Returns the template without other files, as texts for people.

        Args:
            text_of: gives the text of a sentinel.
            prefix: stands for the prefix.
            suffix: stands for the suffix.
        """
        names = {Slot.PREFIX: prefix, Slot.SUFFIX: suffix}
        shown_pieces = [piece for piece in self.template if piece not in _ELSEWHERE]
        return [
            text_of(piece)
            if isinstance(piece, int)
            else names[piece]
            if isinstance(piece, Slot)
            else piece
            for piece in shown_pieces
        ]

    def lead_of(self, slot: Slot, full: Collection[Slot] = ()) -> str:
        """Returns the literal text that is encoded together with the prefix or the suffix.

        Args:
            slot: either of the two.
            full: slots that are not empty; text before them is not the slot's.
        """
        texts = []
        for piece in reversed(self._before(slot)):
            if isinstance(piece, int) or piece in full:
                break
            if isinstance(piece, str):
                texts.append(piece)
        return "".join(reversed(texts))

    def ids(
        self, parts: Mapping[Slot, Sequence[int]], encode: Callable[[str], Sequence[int]]
    ) -> list[int]:
        """Returns the ids of a prompt.

        Args:
            parts: ids of each slot; those of the prefix and the suffix begin with their `lead_of`.
            encode: gives the ids of literal texts.
        """
        found = [] if self.bos is None else [self.bos]
        text = ""
        for piece in self.template:
            if isinstance(piece, str):
                text += piece
                continue
            part = [piece] if isinstance(piece, int) else parts.get(piece, ())
            if part and text and piece not in (Slot.PREFIX, Slot.SUFFIX):
                found += encode(text)
            if part:
                text = ""
            found += part
        return [*found, *(encode(text) if text else ())]

    @classmethod
    def from_json(cls, raw: object, id_of: IdOf | None = None) -> PromptFormat:
        """Reads the object `prompt` of a manifest.

        Args:
            raw: JSON, as `to_json` writes it.
            id_of: where given, tokens may be named by their texts.

        Raises:
            ValueError: it does not fit; the message says what to change.
        """
        if not isinstance(raw, Mapping):
            raise ValueError(f"the prompt format must be an object, not {shown(raw)}")
        refuse_unknown(raw, (one.name for one in fields(cls)))
        if missing := [name for name in ("template", "end") if name not in raw]:
            raise ValueError(f"the prompt format does not state {missing[0]}; add it")
        values: dict[str, Any] = {
            name: read_id(raw[name], name, id_of)
            for name in ("end", "bos", "pad")
            if raw.get(name) is not None
        }
        values["template"] = read_pieces(raw["template"], "template", id_of)
        stops, strings = raw.get("other_stops", []), raw.get("stop_strings", [])
        if not isinstance(stops, list):
            raise ValueError(f"other_stops must be a list of ids, not {shown(stops)}")
        values["other_stops"] = tuple(read_id(one, "other_stops", id_of) for one in stops)
        if not isinstance(strings, list) or not all(isinstance(one, str) for one in strings):
            raise ValueError(f"stop_strings must be a list of texts, not {shown(strings)}")
        values["stop_strings"] = tuple(strings)
        values["context"] = ContextFormat.from_json(raw.get("context", {}), id_of)
        values["hole_start"] = read_hole_start(raw.get("hole_start", HoleStart.CURSOR.value))
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object of a manifest; what is left out has its default."""
        optional: dict[str, Any] = {
            "bos": self.bos,
            "pad": self.pad,
            "other_stops": list(self.other_stops) or None,
            "stop_strings": list(self.stop_strings) or None,
            "context": self.context.to_json() or None,
        }
        return {
            "template": write_pieces(self.template),
            "end": self.end,
            **{name: value for name, value in optional.items() if value is not None},
            "hole_start": self.hole_start.value,
        }

    def _before(self, slot: Slot) -> Pieces:
        return self.template[: self.template.index(slot)]


_ELSEWHERE = (Slot.CONTEXT, Slot.OWN_FILE)


def read_hole_start(value: object) -> HoleStart:
    """Returns the form with this name.

    Raises:
        ValueError: there is none.
    """
    try:
        return HoleStart(value)
    except ValueError:
        known = ", ".join(one.value for one in HoleStart)
        raise ValueError(f"hole_start is {shown(value)}, not one of {known}") from None
