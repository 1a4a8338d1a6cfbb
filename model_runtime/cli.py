"""The command `fim-runtime`: models on this machine, training, evaluation."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from model_runtime.errors import ModelRuntimeError

_EXAMPLES = """\
examples:
  fim-runtime models list                        what is installed
  fim-runtime models info default                shape, format, licence and scores of a model
  fim-runtime models add ./my-gpt-neox           read, convert, quantise and check a folder
  fim-runtime models add ORG/NAME                the same from the Hugging Face hub, then offline for ever
  fim-runtime train recipe.toml --out runs/mine  the whole pipeline, from files to a bundle
  fim-runtime evaluate infilling default --help  the judge"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 1 for a failure, 2 for wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["evaluate"]:  # has a parser of its own
            from model_runtime.evaluation.__main__ import main as evaluate

            return int(evaluate(given[1:]) or 0)
        args = _parser().parse_args(given)
        return int(args.run(args))
    except ModelRuntimeError as error:
        print(f"fim-runtime: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print("fim-runtime: not enough memory for this model", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
