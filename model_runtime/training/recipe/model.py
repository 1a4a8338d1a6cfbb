"""Sections of a recipe about the model: its network, and the examples that it learns from."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from model_runtime.prompt.orders import Order
from model_runtime.training.recipe.settings import at_least, keys_of, setting, share, weights

ORDERS = tuple(order.value for order in Order)
SPANS = ("line", "typed-line", "rest-of-line", "character", "short-run", "token", "syntax")


@frozen
class NetworkRecipe:
    """Settings of the network's shape."""

    layers: int = setting(12, at_least(1))
    width: int = setting(512, at_least(1))
    heads: int = setting(8, at_least(1))
    context: int = setting(1024, at_least(1))
    """Largest number of ids of a prompt and its answer."""
    positions: Literal["rotary", "alibi"] = "rotary"
    rotary_share: float = setting(1.0, share(above_zero=True))
    """Share of each head that is rotated."""
    rotary_base: float = 10_000.0
    tied: bool = True
    """Whether the output head is the embedding."""
    parallel_residual: bool = True
    """Whether attention and feed-forward stand beside each other; else one follows the other."""


@frozen
class DataRecipe:
    """Settings of the windows that are cut from the documents, and of the holes cut into them."""

    fim_rate: float = setting(0.9, share())
    """Share of windows with a hole; the others are read from left to right."""
    orders: dict[str, float] = setting({"spm1": 0.9, "psm": 0.1}, keys_of(ORDERS), weights)
    """Weight of each order of parts; the first one is what a server uses."""
    hole_start: Literal["cursor", "line"] = "cursor"
    """`line`: every hole begins at the start of its line, as serving then asks for it; the text
    before it on the line is the beginning of the middle."""
    spans: dict[str, float] = setting(
        {
            "line": 0.40,
            "rest-of-line": 0.21,
            "character": 0.07,
            "short-run": 0.07,
            "syntax": 0.25,
        },
        keys_of(SPANS),
        weights,
    )
    """Weight of each kind of hole; `holes.py` says what they are."""
    level: Literal["document", "context"] = "document"
    """`document`: holes lie in windows of one document, packed in any order.  `context`: documents
    follow each other with END between them and are cut into rows; each document's piece of a row
    may have a hole (arXiv:2207.14255, section 4.4), as the reference model's had."""
    no_suffix_rate: float = setting(0.06, share())
    """Share of holes with nothing after them: typing at the end of a file."""
    snippet_rate: float = setting(0.15, share())
    """Share of windows with snippets of other files of the package."""
    window_tokens: tuple[int, int] = (100, 500)
    """Fewest and most tokens of most windows."""
    function_rate: float = setting(0.6, share())
    """Share of windows that begin at a function."""
    windows_per_document: int = 0
    """Largest number of windows of one document and epoch; 0 cuts the whole document."""
    skip_stubs: bool = True
    """Whether `.pyi` files are left out."""
    test_share: float = setting(1.0, share())
    """Share of test files that is kept in an epoch."""
    min_docstrings: int = 0
    """Files with fewer docstrings are left out."""
    attention_within: Literal["row", "example"] = "row"
    """`row`: tokens see earlier examples of their row.  `example`: no example sees another."""
