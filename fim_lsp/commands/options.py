"""Options that several commands of `fim-lsp` have, and the settings that they make."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

from fim_lsp.errors import UsageError
from fim_lsp.settings import SETTINGS, Settings
from model_runtime.store.names import REPOSITORY_NAME, depends_on_the_working_folder

_MODEL_OPTIONS = {
    "model": "model",
    "engine": "engine",
    "device": "device",
    "threads": "threads",
    "endpoint": "endpoint",
    "endpoint_model": "endpointModel",
    "endpoint_key_variable": "endpointKeyVariable",
    "allow_remote_endpoint": "allowRemote",
    "fallback_model": "fallbackModel",
}
"""Settings that the options of `add_model_options` make, by the options' names."""
MODEL_OPTIONS = tuple(_MODEL_OPTIONS)
_HOST_AND_PORT = re.compile(r"(.+):([0-9]{1,5})")


def add_model_options(parser: argparse._ActionsContainer) -> None:
    """Adds the options that choose a model and what runs it; none has a default."""
    parser.add_argument(
        "--model",
        type=_absolute,
        metavar="MODEL",
        help="a name of `fim-runtime models list`, or a path",
    )
    parser.add_argument("--engine", choices=choices_of("engine"), help="what runs it")
    parser.add_argument("--device", choices=choices_of("device"), help="where it runs")
    parser.add_argument("--threads", type=int, metavar="N", help="0 chooses by itself")
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        help="server that runs it, if --engine is a server's",
    )
    parser.add_argument("--endpoint-model", metavar="NAME", help="the model's name at that server")
    parser.add_argument(
        "--endpoint-key-variable",
        metavar="VAR",
        help="environment variable with the server's key",
    )
    parser.add_argument(
        "--allow-remote-endpoint",
        action="store_const",
        const=True,
        help="it may be elsewhere: code is sent there then",
    )
    parser.add_argument(
        "--fallback-model",
        metavar="MODEL",
        help="answers while the server does not",
    )


def choices_of(key: str) -> list[str]:
    """Returns the words that a setting may be."""
    choices: list[str] = SETTINGS[key].type.schema["enum"]
    return choices


def model_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings that the model options of a command line make, by their keys."""
    given = {key: getattr(args, name) for name, key in _MODEL_OPTIONS.items()}
    return {name: value for name, value in given.items() if value is not None}


def checked(settings: dict[str, Any]) -> Settings:
    """Returns settings of a command line over the defaults.

    Raises:
        UsageError: one of them is wrong.
    """
    parsed, problems = Settings.parse(settings)
    if problems:
        raise UsageError("; ".join(problems))
    return parsed


def is_host_and_port(address: str) -> bool:
    """Tells whether an address is that of a server on TCP; else it is the path of a socket."""
    return os.sep not in address and _HOST_AND_PORT.fullmatch(address) is not None


def host_and_port(address: str) -> tuple[str, int]:
    """Returns the parts of HOST:PORT.

    Raises:
        UsageError: the address is not of that form.
    """
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None or int(match[2]) > 65535:
        raise UsageError(f"{address}: expected HOST:PORT, as in 127.0.0.1:9275")
    return match[1].strip("[]"), int(match[2])


def _absolute(model: str) -> str:
    """Returns the setting `model`: a folder must not depend on the one that a program runs in."""
    if not depends_on_the_working_folder(model):
        return model
    if REPOSITORY_NAME.fullmatch(model) and not os.path.isdir(model):
        raise argparse.ArgumentTypeError(
            f"{model} is not on this machine; a repository of the Hugging Face hub is added with: "
            f"fim-runtime models add {model}"
        )
    return os.path.abspath(model)
