"""Tests models that are offered, added and chosen in a real Neovim, with a hub on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.conftest import Start, with_command
from tests.editors.document import snippets
from tests.editors.neovim import Neovim
from tests.support.offered_model import NAME, Offered, offered
from tests.support.random_models import VARIANTS, make_source

pytestmark = [pytest.mark.editor, pytest.mark.slow]

PICK = """
  -- Chooses what `Wanted` names, and keeps what was shown.
  Prompts, Shown = {}, {}
  vim.ui.select = function(items, options, done)
    table.insert(Prompts, options.prompt)
    for index, item in ipairs(items) do
      local text = (options.format_item or tostring)(item)
      table.insert(Shown, text)
      if Wanted and vim.startswith(text, Wanted) then
        return done(item, index)
      end
    end
    done(nil)
  end
"""
MODEL = "local s = require('fim_lsp').state(); return s and s.model"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a small model, as a hub has them."""
    return make_source(tmp_path_factory.mktemp("hub") / "tiny-fim", VARIANTS["rotary quarter"])


@pytest.fixture
def world(tmp_path: Path, files: Path) -> Iterator[Offered]:
    with offered(tmp_path / "world", files, is_permissive=False) as world:
        yield world


@pytest.fixture
def editor(start: Start, world: Offered) -> Neovim:
    """Returns an editor whose server knows of a model that can be had."""
    environment = "\n".join(
        f"vim.env[{json.dumps(name)}] = {json.dumps(value)}"
        for name, value in world.environment.items()
        if name not in ("PATH", "HOME", "PYTHONPATH")
    )
    command = with_command([sys.executable, "-m", "fim_lsp"])
    engine = "vim.lsp.config('fim_lsp', { init_options = { engine = 'onnx' } })"
    init = snippets("Neovim 0.12", "lua")[0]
    editor = start(f"{environment}\n{command}\n{engine}\n{init}\n{PICK}", "x = 1\n")
    editor.ready()
    return editor


def choose(editor: Neovim, command: str, wanted: str) -> None:
    """Runs a command of the plugin, and chooses in the lists that it shows."""
    editor.lua(f"Wanted = {json.dumps(wanted)}")
    editor.api.command(f"FimLsp {command}")


def wait_for_message(editor: Neovim, text: str) -> None:
    editor.until(lambda: text in editor.messages(), f"the message {text!r}")


def test_the_offer_waits_without_disturbing_and_is_taken_when_the_user_looks(
    editor: Neovim, world: Offered
):
    editor.type("Goy = 2")
    wait_for_message(editor, "there is a better model; :FimLsp offer shows it")
    editor.type("34<Esc>")
    editor.wait_for_lines("x = 1", "y = 234")
    assert editor.lua("return #Prompts") == 0
    assert editor.api.request("nvim_get_mode") == {"mode": "n", "blocking": False}
    assert world.hub.requests == []

    world.hub.slow = 300_000
    choose(editor, "offer", "Accept the license and download (")
    editor.until(
        lambda: f"adding {NAME}" in editor.lua("return require('fim_lsp').status()"),
        "the statusline's word that the model is being added",
    )
    editor.until(lambda: editor.lua(MODEL) == NAME, "the new model")
    [prompt] = editor.lua("return Prompts")
    assert "license tiny-community" in prompt
    assert world.models == [NAME]


def test_a_no_is_remembered_and_an_offer_can_be_looked_at_twice(editor: Neovim, world: Offered):
    wait_for_message(editor, ":FimLsp offer shows it")
    choose(editor, "offer", "none of them")
    choose(editor, "offer", "Never")
    file = world.data / "offers.json"
    editor.until(lambda: json.loads(file.read_text("utf-8"))["never"], "the remembered answer")
    choose(editor, "offer", "Never")
    wait_for_message(editor, "nothing is offered")
    assert world.hub.requests == []


def test_models_are_listed_with_what_they_cost_added_and_chosen(editor: Neovim, world: Offered):
    choose(editor, "models", "none of them")
    default, tiny = editor.until(lambda: editor.lua("return Shown"), "the list of models")
    assert default.startswith("default (in use): 10 M parameters, ")
    assert tiny.startswith(f"{NAME} (recommended): 1 MB, ")
    assert tiny.endswith(" ms, tiny-community")

    choose(editor, "models", NAME)  # and then none of the answers about the license
    editor.until(lambda: len(editor.lua("return Prompts")) == 3, "the question about the license")
    assert "https://example.org/license" in editor.lua("return Prompts[3]")
    assert world.hub.requests == []

    editor.lua("vim.ui.select = function(items, _, done) done(items[#items], #items) end")
    editor.lua(
        "local last = vim.ui.select; vim.ui.select = function(items, options, done)"
        "  if type(items[1]) == 'string' then return done(items[1], 1) end"
        "  last(items, options, done)"
        "end"
    )
    editor.api.command("FimLsp models")
    wait_for_message(editor, f"{NAME} is added and will be used")
    editor.until(lambda: editor.lua(MODEL) == NAME, "the new model")

    editor.lua(PICK)
    choose(editor, "models", "default")
    wait_for_message(editor, "default will be used")
    editor.until(lambda: editor.lua(MODEL) == "embedded", "the embedded model")
    wait_for_message(editor, "embedded is ready")


def test_adding_can_be_cancelled(editor: Neovim, world: Offered):
    wait_for_message(editor, ":FimLsp offer shows it")
    world.hub.slow = 50_000
    choose(editor, "offer", "Accept the license and download (")
    editor.until(
        lambda: "adding" in editor.lua("return require('fim_lsp').status()"), "the download"
    )
    editor.api.command("FimLsp cancel")
    editor.until(
        lambda: "adding" not in editor.lua("return require('fim_lsp').status()"), "its end"
    )
    assert world.models == []
    editor.api.command("FimLsp cancel")
    wait_for_message(editor, "no model is being added")


def test_a_failure_is_told_quietly_and_can_be_tried_again(editor: Neovim, world: Offered):
    wait_for_message(editor, ":FimLsp offer shows it")
    world.hub.down = True
    choose(editor, "offer", "Accept the license and download (")
    wait_for_message(editor, "a model was not added; :FimLsp offer says why")
    world.hub.down = False
    choose(editor, "offer", "Try again")
    editor.until(lambda: editor.lua(MODEL) == NAME, "the new model")
    assert f"{NAME} was not added: " in editor.lua("return Prompts[#Prompts]")
