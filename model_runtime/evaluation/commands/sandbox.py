"""`fim-runtime evaluate sandbox`: says what confines programs on this machine."""

from __future__ import annotations

import argparse
import time


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the commands of `evaluate`."""
    parser = commands.add_parser("sandbox", help="say what confines programs on this machine")
    parser.set_defaults(evaluate=run)


def run(_: argparse.Namespace) -> int:
    """Prints the isolation and how many programs it starts a second; returns the exit code."""
    from model_runtime.evaluation.sandbox import Sandbox

    sandbox = Sandbox.open()
    number = 20
    started = time.perf_counter()
    for _round in range(number):
        sandbox.run("")
    rate = number / (time.perf_counter() - started)
    print(f"confined by {sandbox.isolation.value}; {rate:.0f} programs start and end per second")
    return 0
