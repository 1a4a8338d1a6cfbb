"""Stands in for the module of this name until it lands."""

from __future__ import annotations


def chosen_model() -> str | None:
    """Returns the name of the chosen model, or None for the embedded one."""
    return None
