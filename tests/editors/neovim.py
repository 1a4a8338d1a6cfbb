"""A real Neovim with a home of its own, driven over its API."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pynvim

TIMEOUT_SECONDS = 30.0

_GHOST = """
  local namespace = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion']
  local function join(chunks)
    return table.concat(vim.tbl_map(function(chunk) return chunk[1] end, chunks or {}))
  end
  local marks = {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
    local lines = { join(mark[4].virt_text) }
    vim.list_extend(lines, vim.tbl_map(join, mark[4].virt_lines or {}))
    marks[#marks + 1] = { row = mark[2], col = mark[3], text = table.concat(lines, '\\n') }
  end
  return marks
"""
_SCREEN = """
  vim.cmd.redraw()
  local rows = {}
  for row = 1, vim.o.lines do
    local cells = {}
    for column = 1, vim.o.columns do
      cells[column] = vim.fn.screenstring(row, column)
    end
    rows[row] = (table.concat(cells):gsub(' +$', ''))
  end
  return rows
"""


class Neovim:
    """One process; `close` it."""

    def __init__(self, program: str, home: Path, environment: Mapping[str, str], *arguments: str):
        home.mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        given = {**kept, "HOME": str(home), "TERM": "dumb", **environment}
        variables = [f"{name}={value}" for name, value in given.items()]
        # `env -i`: pynvim hands its own environment on, and that of the user must not matter.
        command = ["env", "-i", *variables, program, "--embed", "--headless", "-n", *arguments]
        self.api = pynvim.attach("child", argv=command)

    def lua(self, code: str, *arguments: Any) -> Any:
        return self.api.exec_lua(code, *arguments)

    def type(self, keys: str) -> None:
        """Keys as the user presses them, `<Tab>` and the like included."""
        self.api.input(keys)

    def until(self, what: Callable[[], Any], wanted: str) -> Any:
        """What `what` gives, as soon as that is true."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            found = what()
            if found:
                return found
            time.sleep(0.01)
        screen = "\n".join(self.screen())
        raise AssertionError(f"{wanted}: not seen; messages {self.messages()!r}; screen\n{screen}")

    def ready(self) -> None:
        """Wait until the server has its model."""
        state = "local s = require('fim_lsp').state(); return s and s.state"
        self.until(lambda: self.lua(state) == "ready", "the server's word that it is ready")

    def lines(self) -> list[str]:
        return list(self.api.current.buffer[:])

    def ghost(self) -> str:
        """The ghost text, with the text of the further lines; empty when there is none."""
        marks = self.lua(_GHOST)
        assert len(marks) <= 1, marks
        return marks[0]["text"] if marks else ""

    def ghost_place(self) -> tuple[int, int]:
        """Row and byte column of the ghost text."""
        [mark] = self.lua(_GHOST)
        return mark["row"], mark["col"]

    def wait_for_ghost(self, text: str) -> None:
        self.until(lambda: self.ghost() == text, f"ghost text {text!r}")

    def wait_for_lines(self, *lines: str) -> None:
        self.until(lambda: self.lines() == list(lines), f"the buffer {lines!r}")

    def screen(self) -> list[str]:
        """What a person sees, row by row."""
        rows: list[str] = self.lua(_SCREEN)
        return rows

    def messages(self) -> str:
        text: str = self.api.command_output("messages")
        return text

    def close(self) -> None:
        try:
            self.api.command("qa!")
        except (OSError, EOFError):
            pass  # it has gone before it could answer
        finally:
            self.api.close()
