--- Functions for keys, commands and the statusline; the server decides what is suggested and when.

local acceptance = require('fim_lsp.accept')
local requests = require('fim_lsp.requests')
local server_status = require('fim_lsp.status')

local M = {}

local NAME = 'fim_lsp'
local WORD = [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)]]
local LINE = [[^\n*[^\n]*]]

---@type table<integer, string?> The place for which several suggestions were asked, by buffer.
local asked_at = {}

---@param filter? vim.lsp.get_clients.Filter
---@return vim.lsp.Client?
local function client_of(filter)
  return vim.lsp.get_clients(vim.tbl_extend('force', { name = NAME }, filter or {}))[1]
end

local function notify_not_running()
  vim.notify('fim_lsp: the server is not running; :checkhealth fim_lsp looks for the reason', vim.log.levels.WARN)
end

--- Accepts the suggestion.
---@return boolean # False when none is shown.
function M.accept()
  return acceptance.accept(function(rest)
    return rest
  end)
end

--- Accepts the next word of the suggestion.
---@return boolean # False when none is shown.
function M.accept_word()
  return acceptance.accept(function(rest)
    local word = vim.fn.matchstr(rest, WORD)
    return word ~= '' and word or rest
  end)
end

--- Accepts the suggestion up to the end of its line.
---@return boolean # False when none is shown.
function M.accept_line()
  return acceptance.accept(function(rest)
    return vim.fn.matchstr(rest, LINE)
  end)
end

--- Shows the next suggestion for the cursor's place; the first time there, asks the server for several.
---@param count? integer Default 1; negative goes back.
function M.select(count)
  local inline, bufnr = vim.lsp.inline_completion, vim.api.nvim_get_current_buf()
  if not inline or not client_of({ bufnr = bufnr }) then
    return
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local place = ('%d:%d:%d'):format(vim.b[bufnr].changedtick, cursor[1], cursor[2])
  if asked_at[bufnr] ~= place and requests.ask(bufnr) then
    asked_at[bufnr] = place
  else
    inline.select({ count = count or 1 })
  end
end

--- Switches suggestions off, or on again, in all buffers; the model stays loaded.
---@param on? boolean Default: the opposite of what is set.
function M.toggle(on)
  local client = client_of()
  if not client then
    notify_not_running()
    return
  end
  if on == nil then
    on = vim.tbl_get(client.settings, 'fimLsp', 'enabled') == false
  end
  client.settings = vim.tbl_deep_extend('force', client.settings, { fimLsp = { enabled = on } })
  client:notify('workspace/didChangeConfiguration', { settings = client.settings })
end

--- Returns what the server says about itself; nil in a buffer that it does not serve.
---@return fim_lsp.Status?
function M.state()
  local client = client_of({ bufnr = vim.api.nvim_get_current_buf() })
  return client and server_status.get(client.id)
end

--- Returns a few characters for a statusline; none in a buffer that the server does not serve.
---
--- They are `FIM`, `FIM …` (at work), `FIM loading`, `FIM off`, `FIM on request` or `FIM error`, and
--- `FIM adding NAME 43%` while a model is added.
---@return string
function M.status()
  local status = M.state()
  return status and vim.trim('FIM ' .. server_status.sign(status, vim.api.nvim_get_current_buf())) or ''
end

--- Tells the user what the server says about itself and about the current buffer.
function M.show_status()
  local status = M.state()
  if status then
    vim.notify('fim_lsp: ' .. server_status.describe(status, vim.api.nvim_get_current_buf()))
  else
    vim.notify('fim_lsp: the server does not serve this buffer; :checkhealth fim_lsp looks for the reason')
  end
end

--- Lets the user choose among the models on this machine and those that can be downloaded.
function M.select_model()
  local client = client_of()
  if client then
    require('fim_lsp.models').select(client)
  else
    notify_not_running()
  end
end

--- Shows why the last requests of the current buffer, or of all buffers, came to what they did.
function M.explain()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = client_of({ bufnr = bufnr })
  local params = client and { uri = vim.uri_from_bufnr(bufnr) } or vim.empty_dict()
  client = client or client_of()
  if not client then
    notify_not_running()
    return
  end
  client:request('fimLsp/explain', params, function(err, explanation)
    if err then
      vim.notify(
        ('fim_lsp: the server explains nothing: %s; its log has more'):format(err.message),
        vim.log.levels.ERROR
      )
    else
      require('fim_lsp.explanation').show(explanation.markdown)
    end
  end)
end

return M
