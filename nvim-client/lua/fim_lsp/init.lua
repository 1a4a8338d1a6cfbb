--- Accepting in part, cycling, switching off, and the state for a statusline.
--- What is suggested, and when, is the server's business.

local requests = require('fim_lsp.requests')

local M = {}

local NAME = 'fim_lsp'
local WORD = [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)]]
local LINE = [[^\n*[^\n]*]]

---@type table<integer, {state: string, model: string, engine: string, message: string}?>
local states = {}
---@type table<integer, string?> By buffer: the place for which several suggestions were asked.
local asked_at = {}

---@param filter? vim.lsp.get_clients.Filter
---@return vim.lsp.Client?
local function client_of(filter)
  return vim.lsp.get_clients(vim.tbl_extend('force', { name = NAME }, filter or {}))[1]
end

--- Put a part of a suggestion, or all of it, into the buffer.
---
--- The item's range is that of the text it was made for.  What was typed since stands between the
--- range's start and the cursor, and must not come twice (neovim#36529).
---@param item vim.lsp.inline_completion.Item
---@param part_of fun(rest: string): string
---@return vim.lsp.inline_completion.Item?
local function accept_part(item, part_of)
  local client = vim.lsp.get_client_by_id(item.client_id)
  if not client or client.name ~= NAME or type(item.insert_text) ~= 'string' or not item.range then
    return item -- another server's: as Neovim has it
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
  if is_all then
    if item.command then
      client:exec_cmd(item.command, { bufnr = bufnr })
    end
  else
    client:notify('textDocument/didPartiallyAcceptCompletion', {
      item = { insertText = item.insert_text, command = item.command },
      acceptedLength = vim.str_utfindex(typed .. part, 'utf-16'),
    })
  end
  return nil
end

---@param part_of fun(rest: string): string
---@return boolean # Whether a suggestion was showing.
local function accept(part_of)
  local inline = vim.lsp.inline_completion
  if not inline or not requests.is_shown(vim.api.nvim_get_current_buf()) then
    return false
  end
  return inline.get({
    on_accept = function(item)
      return accept_part(item, part_of)
    end,
  })
end

--- Accept the suggestion.
---@return boolean # False when none is showing.
function M.accept()
  return accept(function(rest)
    return rest
  end)
end

--- Accept the next word of the suggestion.
---@return boolean # False when none is showing.
function M.accept_word()
  return accept(function(rest)
    local word = vim.fn.matchstr(rest, WORD)
    return word ~= '' and word or rest
  end)
end

--- Accept the suggestion up to the end of its line.
---@return boolean # False when none is showing.
function M.accept_line()
  return accept(function(rest)
    return vim.fn.matchstr(rest, LINE)
  end)
end

--- Show the next suggestion for this place; the first time at a place, ask the server for several.
---@param count? integer Default 1; negative goes back.
function M.select(count)
  local inline, bufnr = vim.lsp.inline_completion, vim.api.nvim_get_current_buf()
  if not inline or not client_of({ bufnr = bufnr }) then
    return
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local place = ('%d:%d:%d'):format(vim.b[bufnr].changedtick, cursor[1], cursor[2])
  if asked_at[bufnr] == place then
    inline.select({ count = count or 1 })
  else
    asked_at[bufnr] = place
    requests.ask(bufnr)
  end
end

--- Switch suggestions off, or on again, in all buffers; the model stays loaded.
---@param on? boolean Default: the other way round.
function M.toggle(on)
  local client = client_of()
  if not client then
    vim.notify('fim_lsp is not running; :checkhealth fim_lsp says more', vim.log.levels.WARN)
    return
  end
  if on == nil then
    on = vim.tbl_get(client.settings, 'fimLsp', 'enabled') == false
  end
  client.settings = vim.tbl_deep_extend('force', client.settings, { fimLsp = { enabled = on } })
  client:notify('workspace/didChangeConfiguration', { settings = client.settings })
end

--- What the server says of itself, for the current buffer.
---@return {state: string, model: string, engine: string, message: string}?
function M.state()
  local client = client_of({ bufnr = vim.api.nvim_get_current_buf() })
  return client and states[client.id]
end

local SIGNS = { starting = 'loading', busy = '…', error = 'error', disabled = 'off' }

--- A few characters for a statusline; empty in a buffer that fim-lsp does not serve.
---
--- `FIM`, `FIM …` (at work), `FIM loading`, `FIM off` or `FIM error`.
---@return string
function M.status()
  local now = M.state()
  if not now then
    return ''
  end
  return SIGNS[now.state] and 'FIM ' .. SIGNS[now.state] or 'FIM'
end

--- Take the notification `fimLsp/status`.
function M.on_status(_, status, context)
  states[context.client_id] = status
  vim.schedule(function()
    vim.cmd.redrawstatus({ bang = true })
    vim.api.nvim_exec_autocmds('User', { pattern = 'FimLspStatus', modeline = false, data = status })
  end)
end

--- Show in a window what became of the last requests, and why.
function M.explain()
  local client = client_of()
  if not client then
    vim.notify('fim_lsp is not running; :checkhealth fim_lsp says more', vim.log.levels.WARN)
    return
  end
  client:request('fimLsp/explain', nil, function(err, decisions)
    if err then
      vim.notify('fim_lsp: ' .. err.message, vim.log.levels.ERROR)
      return
    end
    local lines = {}
    for _, decision in ipairs(decisions or {}) do
      vim.list_extend(lines, vim.split(vim.inspect(decision), '\n', { plain = true }))
    end
    local bufnr = vim.api.nvim_create_buf(false, true)
    vim.bo[bufnr].bufhidden = 'wipe'
    vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, #lines > 0 and lines or { 'no request yet' })
    vim.api.nvim_open_win(bufnr, true, { split = 'below' })
    vim.bo[bufnr].filetype = 'lua'
    vim.bo[bufnr].modifiable = false
  end)
end

return M
