"""The command line: every command teaches itself, and nothing heavy is loaded for that."""

import subprocess
import sys

import pytest

from fim_lsp.cli import parser
from fim_lsp.commands.options import choices_of

COMMANDS = [
    "demo",
    "setup",
    "doctor",
    "complete",
    "serve",
    "connect",
    "stats",
    "replay",
    "calibrate",
]
HEAVY = {"numpy", "onnxruntime", "ctranslate2", "torch", "tokenizers", "pygls", "rich", "asyncio"}


def help_of(capsys, *command):
    with pytest.raises(SystemExit) as exit_:
        parser().parse_args([*command, "--help"])
    assert 0 == exit_.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ["serve", "complete", "doctor", "replay", "calibrate"])
@pytest.mark.parametrize("option", ["engine", "device"])
def test_a_command_offers_the_choices_of_the_setting(capsys, command, option):
    text = " ".join(help_of(capsys, command).split())
    assert f"--{option} {option.upper()} " in text
    assert f": {', '.join(choices_of(option))}" in text


@pytest.mark.parametrize("arguments", [[], *([command] for command in COMMANDS)])
def test_a_help_loads_nothing_heavy(arguments):
    code = (
        "import sys\nfrom fim_lsp.cli import main\n"
        "try:\n    main([*sys.argv[1:], '--help'])\n"
        "except SystemExit:\n    print('loaded', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.rpartition("loaded ")[2].split()

    assert set() == HEAVY & set(loaded)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"socket": None, "tcp": None, "log_level": "info", "model": None, "threads": None}),
        (["serve"], {"socket": None, "tcp": None, "log_level": "info", "model": None}),
        (["serve", "--socket"], {"socket": ""}),
        (["--socket", "here", "serve"], {"socket": "here"}),
        (["--log-level", "debug", "serve", "--tcp", "a:1"], {"log_level": "debug", "tcp": "a:1"}),
        (["--allow-unencrypted-remote-connections", "serve"], {"allow_remote": True}),
        (["serve", "--socket", "--threads", "2"], {"threads": 2, "unload_after_minutes": None}),
        (["serve", "--tcp", "a:1", "--prompt-memory-mb", "60"], {"prompt_memory_mb": 60}),
    ],
)
def test_options_of_the_server_count_before_and_behind_its_name(arguments, expected):
    found = vars(parser().parse_args(arguments))

    assert expected == {name: found[name] for name in expected}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--tcp", "127.0.0.1"], "127.0.0.1: expected HOST:PORT"),
        (["serve", "--socket", "--threads", "-1"], "threads must be a whole number from 0 to 1024"),
        (["complete", "a.py:1:1", "--threads", "9999"], "threads must be a whole number"),
        (["complete", "a.py:1:1", "-n", "11"], "candidates must be a whole number from 1 to 10"),
        (["replay", "a.py", "--set", "eagerness"], "--set eagerness: expected NAME=VALUE"),
        (["connect", "127.0.0.1:99999"], "expected HOST:PORT"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(tmp_path, arguments, said):
    (tmp_path / "a.py").write_text("x = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "fim_lsp", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert 2 == done.returncode
    assert said in done.stderr
    assert 1 == done.stderr.count("\n")
