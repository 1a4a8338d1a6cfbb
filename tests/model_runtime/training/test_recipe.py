"""A recipe says what is wrong with it."""

from pathlib import Path

import pytest

from model_runtime.training.__main__ import RECIPES, names
from model_runtime.training.recipe import RecipeError, read_recipe
from model_runtime.training.shape import shape_of

BUDGET = "[train]\nbudget_tokens = 1000\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[trian]\n", ["'trian'", "'train'"]),
        ("[network]\nlayer = 3\n", ["network", "'layer'", "'layers'"]),
        ("[data.orders]\nspm-1 = 1.0\n" + BUDGET, ["'spm-1'", "'spm1'"]),
        ("[data.spans]\nlines = 1.0\n" + BUDGET, ["'lines'", "'line'"]),
        ("[network]\nlayers = 'twelve'\n", ["layers", "'twelve'", "int"]),
        ("[network]\nlayers = true\n", ["layers", "True", "int"]),
        ("[network]\npositions = 'learned'\n", ["'learned'", "'rotary'", "'alibi'"]),
        ("[data]\nfim_rate = 1.5\n" + BUDGET, ["fim_rate", "1.5"]),
        ("[data]\nspans = { line = 0.0 }\n" + BUDGET, ["spans", "above 0"]),
        ("[network]\nwidth = 100\nheads = 3\n" + BUDGET, ["width 100", "heads 3"]),
        ("[train]\nbudget_tokens = 1\nbudget_seconds = 1\n", ["budget_seconds", "budget_tokens"]),
        ("[train]\nthreads = 1\n", ["budget_steps", "none"]),
        ("[train]\nbudget_steps = -4\n", ["budget_steps", "-4"]),
        ("[parallel]\nstrategy = 'fsdp'\n", ["'fsdp'", "'fsdp2'", "'ddp'"]),
        (
            "[network]\npositions = 'alibi'\n[data]\nattention_within = 'example'\n" + BUDGET,
            ["alibi"],
        ),
        (
            "[data]\nattention_within = 'example'\n" + BUDGET + "compile_layers = true\n",
            ["compile"],
        ),
        ("[network]\ncontext = 256\n" + BUDGET, ["window_tokens", "256"]),
        ("[optimiser]\nwarm_up = 0.5\ndecay = 0.6\n" + BUDGET, ["warm_up 0.5", "decay 0.6"]),
        (BUDGET + "rows_per_step = 0\n", ["rows_per_step", "1 or more"]),
        ("extends = 'recip'\n", ["'recip'", "no "]),
        ("not toml", ["readable"]),
    ],
)
def test_an_error_names_the_key_and_the_nearest_right_one(
    tmp_path: Path, text: str, words: list[str]
):
    path = tmp_path / "recipe.toml"
    path.write_text(text)

    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("rate", [0, 1, 0.0, 1.0])
def test_rates_of_nothing_and_of_all_are_accepted(tmp_path: Path, rate: float):
    path = tmp_path / "recipe.toml"
    path.write_text(f"[data]\nfim_rate = {rate}\nno_suffix_rate = {rate}\n" + BUDGET)

    assert rate == read_recipe(path).data.fim_rate


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("default", 46_218_240), ("embedded-cpu", 10_244_352), ("tiny-cpu", None)],
)
def test_the_recipes_that_come_along_are_right(name: str, parameters: int | None):
    """Parameters by the formula L (12 d^2 + 13 d) + 2 d + V d, embedding and head tied."""
    assert name in names()
    recipe = read_recipe(RECIPES / f"{name}.toml")
    shape = shape_of(recipe, recipe.tokenizer.vocabulary)
    d = shape.width

    assert name == recipe.name
    if parameters is not None:
        layers = shape.layers * (12 * d**2 + 13 * d)
        assert parameters == layers + 2 * d + shape.vocabulary * d
