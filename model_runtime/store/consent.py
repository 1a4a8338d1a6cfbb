"""Asks the user of `models add`: about a license, and about files of other programs."""

from __future__ import annotations

from collections.abc import Callable

from model_runtime.errors import ConversionError

Ask = Callable[[str], bool]
"""Puts a question to the user; False is no, also where there is nobody to ask."""

PERMISSIVE = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "cc0-1.0", "unlicense", "zlib"}
)
"""Licenses, as the hub spells them, that let anybody use a model for anything."""


def nobody_to_ask(_: str) -> bool:
    """Answers no to every question."""
    return False


def agree_to_license(model: str, license: str, url: str, ask: Ask) -> None:
    """Asks whether the user accepts a license.

    Raises:
        ConversionError: the user does not, or nobody could be asked.
    """
    if not ask(f"{model} has the license {license}: {url}\nDo you accept it?"):
        raise ConversionError(
            f"{model} has the license {license}, which was not accepted; read {url} and, if you "
            "accept it, run the same command again with --yes"
        )
