"""The recipe of a model, with all of its sections."""

from __future__ import annotations

from attrs import field, frozen

from model_runtime.training.recipe.corpus import (
    CorpusRecipe,
    ExecutorRecipe,
    SelectionRecipe,
    TokenizerRecipe,
)
from model_runtime.training.recipe.model import DataRecipe, NetworkRecipe
from model_runtime.training.recipe.training import OptimizerRecipe, ParallelRecipe, TrainRecipe


@frozen
class Recipe:
    """Everything that decides what a model becomes."""

    name: str
    level: str = "mixed"
    """Level of the holes, as manifests say it."""
    corpus: CorpusRecipe = field(factory=CorpusRecipe)
    executor: ExecutorRecipe = field(factory=ExecutorRecipe)
    selection: SelectionRecipe = field(factory=SelectionRecipe)
    tokenizer: TokenizerRecipe = field(factory=TokenizerRecipe)
    network: NetworkRecipe = field(factory=NetworkRecipe)
    data: DataRecipe = field(factory=DataRecipe)
    optimizer: OptimizerRecipe = field(factory=OptimizerRecipe)
    train: TrainRecipe = field(factory=TrainRecipe)
    parallel: ParallelRecipe = field(factory=ParallelRecipe)
