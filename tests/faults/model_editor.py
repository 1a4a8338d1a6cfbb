"""An editor that knows what the text of each document has to be, and what leaves it as it is."""

from __future__ import annotations

import json
import random
from typing import Any

from fim_lsp.lsp.positions import Encoding, Position
from fim_lsp.lsp.text_buffer import without_surrogates
from tests.support.naive_text import PIECES, NaiveText
from tests.support.wire import Message, did_change, did_close, did_open, replace

END = (1_000_000, 0)
_MAX_UNITS = 400
_FAR = [0, 1, 2, 3, 5, 8, 13, 40, 10**6, 2**31 - 1]


class ModelEditor:
    """Some documents, open or closed."""

    def __init__(self, chance: random.Random, encoding: Encoding, documents: int = 5) -> None:
        self._chance, self.encoding = chance, encoding
        self._names = [f"file:///project/{number}.txt" for number in range(documents)]
        self.texts: dict[str, NaiveText] = {}
        """Texts of the open documents."""

    def message(self) -> Message:
        """Opens, edits or closes a document as an editor does, or as none should."""
        uri = self._chance.choice(self._names)
        text = self.texts.get(uri)
        drawn = self._chance.random()
        if text is None:
            return self._open(uri) if drawn < 0.6 else self._of_a_closed_document(uri)
        if drawn < 0.05:
            del self.texts[uri]
            return did_close(uri)
        if drawn < 0.15:
            return self._broken_edit(uri)
        if drawn < 0.2 or len(text.units) > _MAX_UNITS:
            return self._whole(uri)
        return self._edits(uri, text)

    def expected(self, uri: str) -> str:
        """The text that a server must have of an open document."""
        return without_surrogates(self.texts[uri].text)

    def place(self) -> Message:
        """Some document of all, and a position in it or far beyond."""
        return {
            "textDocument": {"uri": self._chance.choice(self._names)},
            "position": self._position_json(),
        }

    def _open(self, uri: str) -> Message:
        self.texts[uri] = NaiveText(self._text(), self.encoding)
        return did_open(self.texts[uri].text, uri, "dump", self._version())

    def _whole(self, uri: str) -> Message:
        self.texts[uri] = NaiveText(self._text(), self.encoding)
        return did_change(self._version(), {"text": self.texts[uri].text}, uri=uri)

    def _edits(self, uri: str, text: NaiveText) -> Message:
        changes = []
        for _ in range(self._chance.randint(0, 3)):
            start, end, new = self._position(), self._position(), self._text()
            text.replace(start, end, new)
            changes.append(replace(start, end, new))
        return did_change(self._version(), *changes, uri=uri)

    def _of_a_closed_document(self, uri: str) -> Message:
        if self._chance.random() < 0.3:
            return did_close(uri)
        change = replace(self._position(), self._position(), self._text())
        return did_change(self._version(), change, uri=uri)

    def _broken_edit(self, uri: str) -> Message:
        version = {"uri": uri, "version": self._version()}
        good = replace((0, 0), (0, 0), "broken")
        start, end = {"line": 0, "character": 0}, {"line": 0, "character": 0}
        broken: list[Any] = [
            {},
            {"contentChanges": None},
            {"contentChanges": [good, {}]},
            {"contentChanges": [good, {"range": {"start": start}, "text": "x"}]},
            {"contentChanges": [good, {"range": {"start": start, "end": None}, "text": "x"}]},
            {
                "contentChanges": [
                    {"range": {"start": {**start, "line": -1}, "end": end}, "text": "x"}
                ]
            },
            {"contentChanges": 7},
            {"contentChanges": [[]]},
        ]
        params = {"textDocument": version, **self._chance.choice(broken)}
        return {"method": "textDocument/didChange", "params": params}

    def _version(self) -> int:
        return self._chance.choice([0, 1, 2, 3, 1000, self._chance.randrange(100), 2**31 - 1])

    def _position(self) -> Position:
        return Position(self._chance.choice(_FAR), self._chance.choice(_FAR))

    def _position_json(self) -> Message:
        position = self._position()
        return {"line": position.line, "character": position.character}

    def _text(self) -> str:
        pieces = "".join(self._chance.choices(PIECES, k=self._chance.randint(0, 12)))
        return str(json.loads(json.dumps(pieces)))  # halves of a character side by side are one
