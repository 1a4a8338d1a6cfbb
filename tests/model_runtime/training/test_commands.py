"""Commands can be added to the parser of any program, and cost nothing before they run."""

import argparse
import subprocess
import sys

import pytest

from model_runtime.evaluation import command as evaluate
from model_runtime.training import command as train
from model_runtime.training.ablation import command as ablation

HEAVY = ("torch", "numpy", "tokenizers", "matplotlib", "cattrs", "rich", "huggingface_hub")


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    """A program with all commands of training and evaluation."""
    parser = argparse.ArgumentParser(prog="program")
    commands = parser.add_subparsers(required=True)
    train.add_parser(commands)
    ablation.add_parser(evaluate.add_parser(commands))
    return parser


@pytest.mark.parametrize(
    ("arguments", "run"),
    [
        (["train", "tiny-cpu"], train.run),
        (["evaluate", "infilling", "default", "--data", "d"], evaluate.run),
        (["evaluate", "harness", "default"], evaluate.run),
        (["evaluate", "compare", "a", "b"], evaluate.run),
        (["evaluate", "plot", "A=a"], evaluate.run),
        (["evaluate", "floor", "--data", "d"], evaluate.run),
        (["evaluate", "sandbox"], evaluate.run),
        (["evaluate", "ablation", "--seeds", "2", "one.toml", "two.toml"], ablation.run),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_every_command_says_what_runs_it(parser, arguments, run):
    assert run is parser.parse_args(arguments).run


def test_no_command_imports_anything_heavy_before_it_runs():
    program = (
        "import sys\n"
        "import model_runtime.training.command, model_runtime.training.ablation.command\n"
        "import model_runtime.evaluation.command\n"
        "print(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert not set(HEAVY) & set(ended.stdout.split()), ended.stderr


def test_an_unknown_recipe_is_told_with_the_nearest_one(parser, capsys):
    args = parser.parse_args(["train", "tiny-cpo"])

    assert 1 == args.run(args)
    assert "the nearest is 'tiny-cpu'" in capsys.readouterr().err
