"""A recipe says what is wrong with it."""

from pathlib import Path

import pytest
import torch
from attrs import asdict, evolve

from model_runtime.prompt.orders import FimTokens
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training.network import TrainingNetwork
from model_runtime.training.recipe import RecipeError, read_recipe
from model_runtime.training.recipe_files import RECIPES, names
from model_runtime.training.shape import shape_of
from model_runtime.training.special_tokens import tokens_of

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
        ("[data]\nlevel = 'context'\n" + BUDGET, ["snippet_rate", "context"]),
        ("[data.spans]\nrest-of-lines = 1.0\n" + BUDGET, ["'rest-of-line'"]),
        ("[network]\ncontext = 256\n" + BUDGET, ["window_tokens", "256"]),
        ("[optimizer]\nwarmup = 0.5\ndecay = 0.6\n" + BUDGET, ["warmup 0.5", "decay 0.6"]),
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


def test_every_problem_is_named_in_one_message(tmp_path: Path):
    path = tmp_path / "recipe.toml"
    path.write_text(
        "[network]\nlayer = 3\nheads = true\n[data]\nwindow_tokens = 'wide'\norders = 1\n"
        "[train]\nkeep = '2'\n"
    )
    with pytest.raises(RecipeError) as wrong_types:
        read_recipe(path)
    path.write_text(
        "[network]\nheads = 0\n[data]\nfim_rate = 1.5\nspans = { lines = 1.0 }\n"
        "[optimizer]\nwarmup = 0.9\nbeta1 = 1.0\n"
    )
    with pytest.raises(RecipeError) as wrong_values:
        read_recipe(path)

    for words in (
        "network has no key 'layer'; the nearest right one is 'layers'",
        "network.heads is True, which is not int",
        "data.window_tokens is 'wide', which is not a list of 2",
        "data.orders is 1, which is not a table",
        "train.keep is '2', which is not int",
    ):
        assert words in str(wrong_types.value)
    for words in (
        "network.heads is 0; it must be 1 or more",
        "data.fim_rate is 1.5; it is a share from 0 to 1",
        "it has no 'lines'; the nearest is 'line'",
        "optimizer.beta1 is 1.0; it is a share from 0 to below 1",
        "optimizer.warmup 0.9 and decay 0.35",
        "train needs one of budget_seconds, budget_tokens, budget_steps; none is given",
    ):
        assert words in str(wrong_values.value)


@pytest.mark.parametrize("rate", [0, 1, 0.0, 1.0])
def test_rates_of_nothing_and_of_all_are_accepted(tmp_path: Path, rate: float):
    path = tmp_path / "recipe.toml"
    path.write_text(f"[data]\nfim_rate = {rate}\nno_suffix_rate = {rate}\n" + BUDGET)

    assert rate == read_recipe(path).data.fim_rate


PARAMETERS = {
    "embedded": 10_244_352,
    "embedded-stable": 10_244_352,
    "embedded-decay": 10_244_352,
    "default": 46_218_240,
    "ablation-ar": 46_218_240,
    "ablation-fim": 46_218_240,
    "ablation-alibi": 46_218_240,
    "ablation-cpu-ar": 2_566_272,
    "ablation-cpu-fim": 2_566_272,
    "ablation-cpu-alibi": 2_566_272,
    "embedded-cpu": 10_244_352,
    "embedded-cpu-functions": 10_244_352,
    "embedded-cpu-general": 10_244_352,
    "tiny-cpu": 1_445_376,
    # not the card's 1,331,810,304, which no tally of this shape gives
    "fim-neox-1.3b": 1_414_549_504,
    "ar-1.3b": 1_414_549_504,
    "fim-1.3b-alibi": 1_414_549_504,
}


@pytest.mark.parametrize("name", names())
def test_the_recipes_that_come_along_build_the_networks_they_promise(name: str):
    """The meta device gives shapes without memory."""
    recipe = read_recipe(RECIPES / f"{name}.toml")
    with torch.device("meta"):
        network = TrainingNetwork(shape_of(recipe, recipe.tokenizer.vocabulary))

    assert name == recipe.name
    assert PARAMETERS[name] == sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("name", ["fim-neox-1.3b", "ar-1.3b", "fim-1.3b-alibi"])
def test_the_reference_models_variants_see_as_many_tokens_as_the_card_says(name: str):
    recipe = read_recipe(RECIPES / f"{name}.toml")
    per_step = recipe.train.rows_per_step * recipe.network.context

    assert 6_291_456 == per_step
    assert 295_698_432_000 == recipe.train.budget_steps * per_step


def test_variants_differ_in_what_they_compare_alone():
    for first, variants in (
        ("ablation-fim", ("ablation-ar", "ablation-alibi")),
        ("ablation-cpu-fim", ("ablation-cpu-ar", "ablation-cpu-alibi")),
        ("fim-neox-1.3b", ("ar-1.3b", "fim-1.3b-alibi")),
    ):
        fim, ar, alibi = (
            asdict(evolve(read_recipe(RECIPES / f"{name}.toml"), name=""))
            for name in (first, *variants)
        )
        assert (0.9, 0.0) == (fim["data"]["fim_rate"], ar["data"].pop("fim_rate"))
        assert ("rotary", "alibi") == (
            fim["network"]["positions"],
            alibi["network"].pop("positions"),
        )
        ar["data"]["fim_rate"], alibi["network"]["positions"] = 0.9, "rotary"
        assert fim == ar == alibi


def test_a_recipe_may_begin_with_another(tmp_path: Path):
    (tmp_path / "base.toml").write_text(
        "name = 'base'\n[network]\nlayers = 3\nwidth = 64\n[data.orders]\nspm1 = 1.0\n" + BUDGET
    )
    (tmp_path / "variant.toml").write_text(
        "extends = 'base'\n[network]\nwidth = 128\n[data.orders]\npsm = 1.0\n"
    )
    variant = read_recipe(tmp_path / "variant.toml")

    assert ("variant", 3, 128) == (
        variant.name,
        variant.network.layers,
        variant.network.width,
    )
    assert {"psm": 1.0} == variant.data.orders  # a value is replaced, not mixed


def test_recipes_that_extend_each_other_are_refused(tmp_path: Path):
    (tmp_path / "one.toml").write_text("extends = 'two'\n")
    (tmp_path / "two.toml").write_text("extends = 'one'\n")

    with pytest.raises(RecipeError, match="in turn"):
        read_recipe(tmp_path / "one.toml")


def test_the_reference_models_tokenizer_serves_its_recipe(seed_tokenizer: FimTokenizer):
    recipe = read_recipe(RECIPES / "fim-neox-1.3b.toml")

    assert seed_tokenizer.size == recipe.tokenizer.vocabulary
    assert FimTokens(end=0, suffix=50277, prefix=50278, middle=50279) == tokens_of(seed_tokenizer)
