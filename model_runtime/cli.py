"""The command `fim-runtime`: models on this machine, training, evaluation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from model_runtime.command_line import HelpFormatter, IntermixingParser, add_commands
from model_runtime.commands import models
from model_runtime.errors import ModelRuntimeError
from model_runtime.evaluation import command as evaluation
from model_runtime.printable import printable, write_what_a_terminal_lacks
from model_runtime.training import command as training
from model_runtime.training.ablation import command as ablation

_EXAMPLES = """\
examples:
  fim-runtime models list                        what is installed
  fim-runtime models info default                shape, format, license and scores of a model
  fim-runtime models info default --check        hash its files, recompute its canary
  fim-runtime models available                   public models, and which one fits this machine
  fim-runtime models add qwen2.5-coder-0.5b      fetch one of them, then offline
  fim-runtime models add ./my-model              read, convert, quantize and check a folder
  fim-runtime models export default --gguf       a file for llama.cpp
  fim-runtime train recipe.toml --out runs/mine  the whole pipeline, from files to a bundle
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
    whole = IntermixingParser(
        prog="fim-runtime",
        description="Models for local fill-in-the-middle: manage, train and evaluate them.",
        epilog=_EXAMPLES,
        formatter_class=HelpFormatter,
    )
    commands = add_commands(whole, title="commands", metavar="COMMAND")
    models.add_parser(commands)
    training.add_parser(commands)
    ablation.add_parser(evaluation.add_parser(commands))  # it trains, which `evaluation` cannot
    return whole
