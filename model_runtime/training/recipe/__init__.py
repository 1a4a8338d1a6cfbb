"""A recipe: one TOML file that says everything about a model, as frozen attrs classes.

Every number that changes the weights stands in a recipe; what only changes where or how fast it is
made (number of loader workers, device) may be given on the command line, too.

    settings    how a setting is declared: type, default, range
    corpus, model, training    the sections
    checks      what single settings and their combinations may be
    reading     from a TOML file to a Recipe
"""

from model_runtime.training.recipe.corpus import (
    PERMISSIVE,
    CorpusRecipe,
    ExecutorRecipe,
    SelectionRecipe,
    TokenizerRecipe,
)
from model_runtime.training.recipe.model import DataRecipe, NetworkRecipe
from model_runtime.training.recipe.reading import read_recipe
from model_runtime.training.recipe.training import OptimizerRecipe, ParallelRecipe, TrainRecipe
from model_runtime.training.recipe.whole import Recipe
from model_runtime.training.recipe_files import RecipeError

__all__ = [
    "PERMISSIVE",
    "CorpusRecipe",
    "DataRecipe",
    "ExecutorRecipe",
    "NetworkRecipe",
    "OptimizerRecipe",
    "ParallelRecipe",
    "Recipe",
    "RecipeError",
    "SelectionRecipe",
    "TokenizerRecipe",
    "TrainRecipe",
    "read_recipe",
]
