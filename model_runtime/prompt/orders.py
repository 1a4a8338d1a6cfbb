"""The three orders in which the parts of a prompt may stand, as templates.

    spm1   SUF <suffix> PRE <context> <own file> <prefix> MID      -> <middle> END
    spm2   PRE SUF <suffix> MID <context> <own file> <prefix>      -> <middle> END
    psm    PRE <context> <own file> <prefix> SUF <suffix> MID      -> <middle> END

`spm1` and `spm2` are the two variants of suffix-prefix-middle in Bavarian et al. 2022
(arXiv:2207.14255, appendix D); CarperAI/FIM-NeoX-1.3B uses the first.  With the suffix in front,
typing changes only the tail of the ids, and a KV cache of all that precedes it stays valid.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from model_runtime.prompt.template import Piece, Pieces, Slot


@dataclass(frozen=True, slots=True)
class FimTokens:
    """Ids of special tokens by role, from which the template of an `Order` is made."""

    end: int
    suffix: int
    prefix: int
    middle: int
    pad: int | None = None
    file: int | None = None
    """Stands before the path of each snippet, and before the file's own path when there are
    snippets.
    """

    def __post_init__(self) -> None:
        ids = self.all()
        if len(set(ids)) != len(ids):
            raise ValueError(f"two sentinels share one id: {self}; give each its own")

    def by_role(self) -> dict[str, int]:
        """Returns role -> id of the tokens that the model has."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {role: id_ for role, id_ in values.items() if id_ is not None}

    def all(self) -> tuple[int, ...]:
        """Returns every special id of the model."""
        return tuple(self.by_role().values())


class Order(str, Enum):
    """Names a template by the order of its parts; recipes and manifests of format 1 state one."""

    SPM1 = "spm1"
    SPM2 = "spm2"
    PSM = "psm"

    def template(self, tokens: FimTokens) -> Pieces:
        """Returns the template with these sentinels."""
        suffix, prefix, middle = tokens.suffix, tokens.prefix, tokens.middle
        return {
            Order.SPM1: (suffix, Slot.SUFFIX, prefix, *_PREFIX, middle),
            Order.SPM2: (prefix, suffix, Slot.SUFFIX, middle, *_PREFIX),
            Order.PSM: (prefix, *_PREFIX, suffix, Slot.SUFFIX, middle),
        }[self]


_PREFIX: tuple[Piece, ...] = (Slot.CONTEXT, Slot.OWN_FILE, Slot.PREFIX)


def suffix_first(template: Pieces) -> Pieces | None:
    """Returns a template with the same sentinels and slots in the order spm2.

    What stands before PRE stays there; what stands behind it comes behind MID.  None where the
    template is no PRE prefix SUF suffix MID.

    >>> suffix_first((Slot.CONTEXT, 2, Slot.PREFIX, 1, Slot.SUFFIX, 3))
    (<Slot.CONTEXT: 'context'>, 2, 1, <Slot.SUFFIX: 'suffix'>, 3, <Slot.PREFIX: 'prefix'>)
    """
    sentinels = [place for place, piece in enumerate(template) if isinstance(piece, int)]
    if len(sentinels) != 3 or any(isinstance(piece, str) for piece in template):
        return None
    pre, suf, mid = sentinels
    if template[suf + 1 :] != (Slot.SUFFIX, template[mid]) or Slot.PREFIX not in template[pre:suf]:
        return None
    return (*template[: pre + 1], *template[suf:], *template[pre + 1 : suf])
