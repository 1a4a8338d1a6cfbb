"""Drives a real Neovim with a home of its own over its API."""

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
_COUNT_REQUESTS = """
  if not RequestsSent then
    RequestsSent, RequestsDone = 0, 0
    vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
      if event.data.request.type == 'pending' then
        RequestsSent = RequestsSent + 1
      else
        RequestsDone = RequestsDone + 1
      end
    end })
  end
  return { RequestsSent, RequestsDone }
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
    """A running Neovim; the caller closes it."""

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
        """Presses keys, which are named as in Neovim's maps (`<Tab>`)."""
        self.api.input(keys)

    def until(self, what: Callable[[], Any], wanted: str) -> Any:
        """Returns the first true value of `what()`.

        Raises:
            AssertionError: with messages and screen, if none comes within the time limit.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            found = what()
            if found:
                return found
            time.sleep(0.01)
        screen = "\n".join(self.screen())
        raise AssertionError(f"{wanted}: not seen; messages {self.messages()!r}; screen\n{screen}")

    def ready(self) -> None:
        """Waits until the server has loaded its model."""
        state = "local s = require('fim_lsp').state(); return s and s.state"
        self.until(lambda: self.lua(state) == "ready", "the server's word that it is ready")

    def requests(self) -> tuple[int, int]:
        """Returns how many requests were sent and how many of them ended since the first call."""
        sent, done = self.lua(_COUNT_REQUESTS)
        return sent, done

    def lines(self) -> list[str]:
        return list(self.api.current.buffer[:])

    def ghost(self) -> str:
        """Returns the ghost text, further lines included; empty when there is none."""
        marks = self.lua(_GHOST)
        assert len(marks) <= 1, marks
        return marks[0]["text"] if marks else ""

    def ghost_place(self) -> tuple[int, int]:
        """Returns row and byte column of the ghost text, both from 0."""
        [mark] = self.lua(_GHOST)
        return mark["row"], mark["col"]

    def wait_for_ghost(self, text: str) -> None:
        self.until(lambda: self.ghost() == text, f"ghost text {text!r}")

    def wait_for_lines(self, *lines: str) -> None:
        self.until(lambda: self.lines() == list(lines), f"the buffer {lines!r}")

    def screen(self) -> list[str]:
        """Returns the text on the screen, row by row."""
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
