"""The command `fim-runtime`: models on this machine, training, evaluation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from model_runtime.command_line import Parser, add_commands
from model_runtime.commands import models
from model_runtime.errors import ModelRuntimeError
from model_runtime.evaluation import command as evaluation
from model_runtime.printable import printable, write_what_a_terminal_lacks
from model_runtime.training import command as training
from model_runtime.training.ablation import command as ablation

_EXAMPLES = """\
examples:
  fim-runtime models list                        what is installed
  fim-runtime models info default                what a model is, and its scores
  fim-runtime models info default --check        whether its files are whole
  fim-runtime models available                   public ones, and which one fits
  fim-runtime models add qwen2.5-coder-0.5b      fetch one of them, then offline
  fim-runtime models add ./my-model              convert and check a folder
  fim-runtime models export default --gguf       a file for llama.cpp
  fim-runtime train recipe.toml --out runs/mine  from files to a model
  fim-runtime evaluate infilling default --help  how good a model is"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit code: 0, 1 for a failure, 2 for wrong usage."""
    write_what_a_terminal_lacks()
    args = parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except ModelRuntimeError as error:
        print(f"fim-runtime: {printable(str(error))}", file=sys.stderr)
        return 1
    except MemoryError:
        print("fim-runtime: not enough memory for this model", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line; parsed arguments have `run`, to be called."""
    whole = Parser(
        prog="fim-runtime",
        description="Models for local fill-in-the-middle: manage, train and evaluate them.",
        epilog=_EXAMPLES,
    )
    commands = add_commands(whole, title="commands", metavar="COMMAND")
    models.add_parser(commands)
    training.add_parser(commands)
    ablation.add_parser(evaluation.add_parser(commands))  # it trains, which `evaluation` cannot
    return whole
