"""Finds recipes: the file that a user names, or one of those that come with the package."""

from __future__ import annotations

import difflib
from pathlib import Path

from model_runtime.errors import ModelRuntimeError

RECIPES = Path(__file__).parents[1] / "recipes"


class RecipeError(ModelRuntimeError):
    """A recipe that is not there, or with an unknown key or an impossible value."""


def find_recipe(name: str) -> Path:
    """Returns the path of a recipe, given as a file or by its name in the package.

    Raises:
        RecipeError: neither is there; names the nearest one.
    """
    if name.endswith(".toml") or Path(name).is_file():
        return Path(name)
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.0)[0]
        raise RecipeError(f"there is no recipe {name!r}; the nearest is {near!r}, or give a file")
    return RECIPES / f"{name}.toml"


def names() -> list[str]:
    """Returns the names of the recipes that come with this package, sorted."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))
