--- Inserts a suggestion, or a part of it, at the cursor.

local internals = require('fim_lsp.internals')

local M = {}

local NAME = 'fim_lsp'

--- Inserts a part of a suggestion, or all of it.
---
--- The item's range is that of the text it was made for.  What was typed since stands between the
--- range's start and the cursor, and must not come twice (neovim#36529).
---@param item vim.lsp.inline_completion.Item
---@param part_of fun(rest: string): string
---@return vim.lsp.inline_completion.Item? # An item that Neovim is to insert itself.
local function insert_part(item, part_of)
  local client = vim.lsp.get_client_by_id(item.client_id)
  if not client or client.name ~= NAME or type(item.insert_text) ~= 'string' or not item.range then
    return item -- another server's
  end
  local bufnr, win = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_win()
  local start_row, start_col, end_row, end_col = item.range:to_extmark()
  local cursor = vim.api.nvim_win_get_cursor(win)
  local row, col = cursor[1] - 1, cursor[2]
  local line = vim.api.nvim_get_current_line()
  local typed = line:sub(start_col + 1, col)
  if row ~= start_row or row ~= end_row or col < start_col or not vim.startswith(item.insert_text, typed) then
    return nil
  end
  local rest = item.insert_text:sub(#typed + 1)
  local part = part_of(rest)
  local is_all = part == rest
  -- Brackets behind the cursor give way only to the whole suggestion, which repeats them.
  local replaced = is_all and math.min(end_col - start_col, #line - col) or 0
  local lines = vim.split(part, '\n', { plain = true })
  vim.cmd('let &g:undolevels = &g:undolevels') -- undo takes back the suggestion alone
  vim.api.nvim_buf_set_text(bufnr, row, col, row, col + replaced, lines)
  vim.api.nvim_win_set_cursor(win, { row + #lines, (#lines == 1 and col or 0) + #lines[#lines] })
  if not is_all then
    client:notify('textDocument/didPartiallyAcceptCompletion', {
      item = { insertText = item.insert_text, command = item.command },
      acceptedLength = vim.str_utfindex(typed .. part, 'utf-16'),
    })
  elseif item.command then
    client:exec_cmd(item.command, { bufnr = bufnr })
  end
  return nil
end

--- Accepts a part of the suggestion that is shown.
---@param part_of fun(rest: string): string The part of what is not typed yet.
---@return boolean # False when none is shown.
function M.accept(part_of)
  local inline = vim.lsp.inline_completion
  if not inline or not internals.has_ghost_text(vim.api.nvim_get_current_buf()) then
    return false
  end
  return inline.get({
    on_accept = function(item)
      return insert_part(item, part_of)
    end,
  })
end

return M
