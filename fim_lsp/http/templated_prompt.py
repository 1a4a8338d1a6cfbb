"""Takes prompts apart that clients have written for some family of models, sentinels as text.

The texts of the sentinels come from the published formats.  Which family a client had in mind does
not matter: families that share their sentinels are read alike, and other files may stand before the
sentinels or at the head of the prefix, wherever a family puts them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count

from fim_lsp.http.errors import ApiError
from fim_lsp.http.query import OtherFile
from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.published import PUBLISHED
from model_runtime.prompt.template import IdOf, Slot

_PATH_LINE = re.compile(r"\A[^\n]{1,500}(?:\n|\Z)")
_HEADER = re.compile(r"^\+\+\+\+\+ ([^\n]+)\n", re.MULTILINE)
"""Line of Codestral's clients that names a file; the text of the file follows."""

_ORDERS = frozenset({"prefix-suffix-middle", "suffix-prefix-middle"})
_ORDERS_WITHOUT_MIDDLE = frozenset({"suffix-prefix"})


@dataclass(frozen=True, slots=True)
class PromptParts:
    """The texts that a prompt was made of."""

    prefix: str
    suffix: str = ""
    others: tuple[OtherFile, ...] = ()
    path: str = ""
    """Path of the document; empty where the prompt does not tell it."""


@dataclass(frozen=True)
class _Sentinels:
    """The sentinels of some families, as texts."""

    prefix: str
    suffix: str
    middle: str | None
    files: frozenset[str]
    """Tokens that stand before the path of a file."""
    repositories: frozenset[str]
    starts: frozenset[str]
    """Tokens that stand before everything."""
    has_blanks: bool
    """Whether a blank stands around the sentinels, as SentencePiece writes them."""

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(text for text in (self.prefix, self.suffix, self.middle) if text)

    def are_in(self, prompt: str) -> bool:
        """Tells whether a client may have written a prompt with these."""
        if self.middle is None:  # words in brackets are code at other places
            starts = ("", *self.starts)
            return any(prompt.startswith(start + self.suffix) for start in starts)
        return any(text in prompt for text in self.all)


def taken_apart(prompt: str) -> PromptParts:
    """Returns the parts of a prompt; one without sentinels is all prefix.

    Raises:
        ApiError: its sentinels are incomplete, come twice, or stand in an order of no family.
    """
    found = [one for one in _known() if one.are_in(prompt)]
    if not found:
        return PromptParts(prompt)
    # Names of sentinels of one family may be parts of another's.
    sentinels = max(found, key=lambda one: sum(map(len, filter(prompt.__contains__, one.all))))
    if any(prompt.count(text) != 1 for text in sentinels.all):
        raise ApiError(
            400,
            f"the prompt must have each of {', '.join(sentinels.all)} once; send prefix and suffix "
            "apart where the code itself contains them",
        )
    head, prefix, suffix = _pieces(prompt, sentinels)
    # Other files are behind the first sentinel as well as before it.
    files, own = _files(head, prefix, sentinels)
    return PromptParts(own.text, suffix, files, own.path)


def _pieces(prompt: str, sentinels: _Sentinels) -> tuple[str, str, str]:
    """Returns the texts before the first sentinel, before the hole, and behind it."""
    blank = " ?" if sentinels.has_blanks else ""
    pieces = re.split("|".join(blank + re.escape(text) for text in sentinels.all), prompt)
    order = sorted(sentinels.all, key=prompt.index)
    roles = {sentinels.prefix: "prefix", sentinels.suffix: "suffix", sentinels.middle: "middle"}
    texts = dict(zip([roles[text] for text in order], pieces[1:], strict=True))
    head, names = pieces[0], "-".join(texts)
    if sentinels.has_blanks and "prefix" in texts:
        texts["prefix"] = texts["prefix"].removeprefix(" ")
    begun = texts.get("middle", "")  # an answer that is begun, or the prefix of an spm2 prompt
    orders = _ORDERS if sentinels.middle else _ORDERS_WITHOUT_MIDDLE
    if names in orders:
        return head, texts["prefix"] + begun, texts["suffix"]
    raise ApiError(400, f"the sentinels {' '.join(order)} stand in an order of no model")


def _files(
    head: str, prefix: str, sentinels: _Sentinels
) -> tuple[tuple[OtherFile, ...], OtherFile]:
    """Returns the other files in the texts before the hole, and the document up to the hole."""
    for start in sentinels.starts:
        head = head.removeprefix(start)
    for token in sentinels.repositories:
        head = re.sub(rf"\A{re.escape(token)}[^\n<]*\n?", "", head)
    if not sentinels.files:
        return _with_headers(head + prefix)
    marks = re.compile("|".join(map(re.escape, sorted(sentinels.files))))
    in_head, in_prefix = marks.split(head), marks.split(prefix)
    parts = [part for part in in_head[1:] if part]
    if len(in_prefix) > 1 and not in_prefix[0].strip():
        parts += in_prefix[1:]
    elif parts and not prefix.startswith("\n") and _is_path(parts[-1]):
        # The last name is that of the document, whose text follows the sentinel.
        parts[-1] = f"{parts[-1].rstrip(chr(10))}\n{prefix}"
    elif head.endswith(tuple(sentinels.files)) and (named := _PATH_LINE.match(prefix)):
        parts.append(f"{named[0].strip()}\n{prefix[named.end() :]}")  # StarCoder2: path in prefix
    else:
        parts.append(f"\n{prefix}")
    files = [OtherFile(path.strip(), text) for path, _, text in (p.partition("\n") for p in parts)]
    return tuple(one for one in files[:-1] if one.text.strip()), files[-1]


def _is_path(part: str) -> bool:
    """Tells whether nothing but a name follows the token of a file."""
    return "\n" not in part.rstrip("\n")


def _with_headers(prefix: str) -> tuple[tuple[OtherFile, ...], OtherFile]:
    """Returns the files that lines of plain text name at the head of a prefix."""
    if not prefix.startswith("+++++ "):
        return (), OtherFile("", prefix)
    _, *parts = _HEADER.split(prefix)
    files = [OtherFile(path, text) for path, text in zip(parts[::2], parts[1::2], strict=True)]
    return tuple(files[:-1]), files[-1] if files else OtherFile("", prefix)


@cache
def _known() -> tuple[_Sentinels, ...]:
    """Returns the sentinels of the published formats, those that are alike once."""
    alike: dict[tuple[str | None, ...], list[dict[str, str]]] = defaultdict(list)
    for name in PUBLISHED:
        told = dict(_told(name))
        key = (told["prefix"], told["suffix"], told.get("middle"))
        alike[key].append(told)
    return tuple(
        _Sentinels(
            prefix=str(prefix),
            suffix=str(suffix),
            middle=middle,
            files=_named(families, "file"),
            repositories=_named(families, "repo"),
            starts=_named(families, "bos"),
            has_blanks="blank" in families[0],
        )
        for (prefix, suffix, middle), families in alike.items()
    )


def _named(families: list[dict[str, str]], role: str) -> frozenset[str]:
    return frozenset(told[role] for told in families if role in told)


def _told(name: str) -> Iterator[tuple[str, str]]:
    """Yields the roles of a family's tokens with their texts."""
    texts: dict[int, str] = {}
    format_ = PromptFormat.from_json(PUBLISHED[name], _numbering(texts))
    for role, id_ in format_.roles.items():
        yield role, texts[id_].removeprefix("▁")
        if texts[id_].startswith("▁"):
            yield "blank", " "
    if format_.bos is not None:
        yield "bos", texts[format_.bos]
    literal = [piece for piece in format_.context.file[:1] if isinstance(piece, str)]
    if literal and Slot.PATH in format_.context.file and literal[0].startswith("<"):
        yield "file", literal[0]


def _numbering(texts: dict[int, str]) -> IdOf:
    """Returns a function that gives each text an id of its own, and notes it."""
    numbers, known = count(), dict[str, int]()

    def id_of(text: str) -> int:
        if text not in known:
            known[text] = next(numbers)
            texts[known[text]] = text
        return known[text]

    return id_of
