"""Every command of both programs teaches itself on one screen, and a slip of the hand costs one line."""

import argparse
from collections.abc import Iterator

import pytest

from fim_lsp import cli as server
from model_runtime import cli as runtime

MAX_ROWS, MAX_COLUMNS = 40, 80
PROGRAMS = (server.parser, runtime.parser)


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yields a parser and those of all commands below it."""
    yield parser
    for action in parser._actions:  # argparse has no other way to list them
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from commands(below)


ALL = [parser for program in PROGRAMS for parser in commands(program())]


def named(parser: argparse.ArgumentParser) -> str:
    return parser.prog


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(MAX_COLUMNS))


@pytest.mark.parametrize("parser", ALL, ids=named)
def test_a_help_fits_one_screen(parser):
    lines = parser.format_help().splitlines()

    assert len(lines) <= MAX_ROWS
    assert [] == [line for line in lines if len(line) > MAX_COLUMNS]


@pytest.mark.parametrize("parser", ALL, ids=named)
def test_every_option_and_argument_is_explained(parser):
    silent = [
        action.dest
        for action in parser._actions
        if not action.help and not isinstance(action, argparse._SubParsersAction)
    ]
    positional = [one.dest for one in parser._actions if not one.option_strings]

    assert set(silent) <= set(positional)


@pytest.mark.parametrize("parser", ALL, ids=named)
def test_a_help_names_the_choices_of_every_option(parser):
    text = " ".join(parser.format_help().split())

    for action in parser._actions:
        if action.option_strings and action.choices and action.help != argparse.SUPPRESS:
            assert ", ".join(map(str, action.choices)) in text or action.metavar, action.dest


@pytest.mark.parametrize("parser", ALL, ids=named)
def test_a_mistyped_option_is_told_with_the_one_that_was_meant(parser, capsys):
    option = max((o for o in parser._option_string_actions if o.startswith("--")), key=len)
    mistyped = option[:-2] + option[-1] + option[-2]
    with pytest.raises(SystemExit) as exit_:
        parser.parse_args([mistyped])
    said = capsys.readouterr().err

    assert 2 == exit_.value.code
    assert said.startswith(f"{parser.prog}: ")
    assert 1 == said.count("\n")
    if not any(one.required for one in parser._actions):
        assert f"there is no option {mistyped}; did you mean {option}?" in said


@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        (server, ["compleet"], "there is no command 'compleet'; did you mean complete?"),
        (server, ["docter"], "did you mean doctor?"),
        (server, ["complete", "--explian", "a.py:1:1"], "did you mean --explain?"),
        (server, ["complete", "a.py:1:1", "--jsno"], "did you mean --json?"),
        (server, ["doctor", "--engine", "onx"], "did you mean onnx?"),
        (server, ["doctor", "quite", "different"], "'quite' is one argument too many"),
        (server, ["quite-different"], "there is no command 'quite-different' (see:"),
        (runtime, ["modles"], "did you mean models?"),
        (runtime, ["models", "ad", "x"], "did you mean add?"),
        (runtime, ["models", "list", "--jason"], "did you mean --json?"),
        (runtime, ["evaluate", "infiling"], "did you mean infilling?"),
        (runtime, ["models", "add", "x", "--quantization", "int4"], "not one of int8, float16"),
    ],
)
def test_a_slip_is_told_with_what_was_meant(program, arguments, said, capsys):
    with pytest.raises(SystemExit) as exit_:
        program.main(arguments)
    error = capsys.readouterr().err

    assert 2 == exit_.value.code
    assert said in error
    assert 1 == error.count("\n")
    assert "--help)" in error


@pytest.mark.parametrize("program", PROGRAMS, ids=["fim-lsp", "fim-runtime"])
def test_the_help_of_a_program_names_every_command(program):
    parser = program()
    [action] = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    text = parser.format_help()

    assert [] == [name for name in action.choices if f"\n    {name}" not in text]
