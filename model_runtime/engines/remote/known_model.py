"""Holds what is known here of a model on a server: its tokenizer, its format and its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeGuard

from model_runtime.engines.remote.problem import ServerProblem
from model_runtime.errors import shown

if TYPE_CHECKING:
    from model_runtime.models.bundle import ModelBundle
    from model_runtime.prompt.tokenizer import FimTokenizer

SAMPLE = (
    "def area(width, height):\n    # größer als 10 % — 面积 🙂\n\treturn width * height\n\n\n"
    "x = {\"a\": [1, 22, 333], 'b': None}  \nclass HTTPServer2(Base): pass\r\n"
)
"""Text whose ids, as a server's tokenizer gives them, must spell it here as well.

They need not be those of the tokenizer at hand: llama.cpp cuts some texts into other pieces.
"""


@dataclass(frozen=True)
class KnownModel:
    """The model at hand, as far as a server is concerned."""

    name: str
    tokenizer: FimTokenizer
    special_ids: frozenset[int]
    """Ids that the format of its prompts names."""
    stop_ids: frozenset[int]
    bos: int | None
    end: int
    """The id that ends an answer."""
    vocab: int
    """Ids that the model has; those of the tokenizer are among them."""
    context_length: int

    @classmethod
    def of(cls, bundle: ModelBundle) -> KnownModel:
        """Returns what a bundle says of its model."""
        manifest = bundle.manifest
        return cls(
            name=manifest.name,
            tokenizer=bundle.tokenizer,
            special_ids=manifest.prompt.special_ids,
            stop_ids=bundle.stop_ids,
            bos=manifest.prompt.bos,
            end=manifest.prompt.end,
            vocab=manifest.decoder.vocab,
            context_length=manifest.context_length,
        )

    @cached_property
    def special_texts(self) -> dict[int, str]:
        """Texts of the special tokens, by id."""
        texts = self.tokenizer.token_texts.texts
        found = {id_: self.tokenizer.token_of(id_) for id_, text in enumerate(texts) if not text}
        return {id_: text for id_, text in found.items() if text}

    @property
    def stop_texts(self) -> list[str]:
        """Texts of the ids that end an answer, that of END first."""
        others = sorted(self.stop_ids - {self.end})
        texts = [self.special_texts.get(id_, "") for id_ in (self.end, *others)]
        return [text for text in texts if text]

    def text_of(self, ids: Sequence[int]) -> str:
        """Returns the text by which a server without ids gets a prompt.

        BOS is left out, since such servers write it themselves.  The user's own text that spells a
        sentinel gets a space into it, for the server could not tell one from the other.
        """
        found, plain = [], list[int]()
        for id_ in (*ids, None):
            if id_ is not None and id_ not in self.special_texts:
                plain.append(id_)
                continue
            if plain:
                found.append(self._harmless(self.tokenizer.decode(plain)))
                plain.clear()
            if id_ is not None and id_ != self.bos:
                found.append(self.special_texts[id_])
        return "".join(found)

    def compare(self, place: str, sample_ids: object, special_ids: object) -> None:
        """Compares the ids of a server's tokenizer with those of the one at hand.

        Args:
            place: the server in words.
            sample_ids: what it makes of `SAMPLE`.
            special_ids: what it makes of the texts of `special_ids`, one behind the other.

        Raises:
            ServerProblem: they differ; the message names the first difference.
        """
        difference = self._difference(sample_ids) or self._difference_of_special(special_ids)
        if difference:
            raise ServerProblem(
                f"the server {place} has another tokenizer than {self.name}: {difference}; set "
                "model to the one that the server runs, or start the server with this one",
                is_lasting=True,
            )

    def _difference(self, sample_ids: object) -> str:
        """Returns where ids of `SAMPLE` spell something else here; empty where they do not."""
        if not _are_ids(sample_ids):
            return f"it gives {shown(sample_ids)} for ids"
        texts = self.tokenizer.token_texts.texts
        spelled = b"".join(texts[id_] if id_ < len(texts) else b"?" for id_ in sample_ids)
        text, expected = spelled.removeprefix(b" "), SAMPLE.encode()  # some put a space in front
        if text == expected:
            return ""
        pairs = zip(text, expected, strict=False)
        at = next((at for at, (one, other) in enumerate(pairs) if one != other), len(text))
        found, wanted = (one[at : at + 12].decode(errors="replace") for one in (text, expected))
        return f"its ids of a sample spell {shown(found)} here in place of {shown(wanted)}"

    def _difference_of_special(self, special_ids: object) -> str:
        """Returns which special token has another id there; empty where none has."""
        found = special_ids if _are_ids(special_ids) else []
        for number, id_ in enumerate(sorted(self.special_ids)):
            if number >= len(found) or found[number] != id_:
                theirs = found[number] if number < len(found) else "none"
                return (
                    f"{shown(self.special_texts.get(id_, ''))} is id {theirs} there and {id_} here"
                )
        return ""

    @property
    def special_sample(self) -> str:
        """Texts of the format's special tokens, one behind the other, in the order of their ids."""
        return "".join(self.special_texts.get(id_, "") for id_ in sorted(self.special_ids))

    def _harmless(self, text: str) -> str:
        for special in self.special_texts.values():
            if special in text:
                text = text.replace(special, f"{special[0]} {special[1:]}")
        return text


def _are_ids(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)
