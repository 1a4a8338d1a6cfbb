--- Functions for keys, commands and the statusline; the server decides what is suggested and when.

local acceptance = require('fim_lsp.accept')
local page = require('fim_lsp.page')
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

---@param bufnr? integer
---@return boolean # Whether a server was started that has not said anything yet.
local function is_starting(bufnr)
  local client = client_of({ bufnr = bufnr })
  if client then
    return server_status.get(client.id) == nil
  end
  return require('fim_lsp.internals').is_starting({ name = NAME, bufnr = bufnr })
end

--- Says why nothing can be done: the server is starting, or it is not running.
local function notify_no_server()
  if is_starting() then
    vim.notify('fim_lsp: the server is starting; try again in a moment')
  else
    vim.notify('fim_lsp: the server is not running; :checkhealth fim_lsp looks for the reason', vim.log.levels.WARN)
  end
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

--- Asks for suggestions at the cursor, as the user's own request; begins to insert where that is not so yet.
function M.trigger()
  local bufnr = vim.api.nvim_get_current_buf()
  if not client_of({ bufnr = bufnr }) then
    notify_no_server()
  elseif vim.startswith(vim.api.nvim_get_mode().mode, 'i') then
    requests.ask(bufnr)
  else
    requests.ask_next(bufnr)
    local is_at_end = vim.api.nvim_win_get_cursor(0)[2] + 1 >= #vim.api.nvim_get_current_line()
    vim.cmd.startinsert({ bang = is_at_end })
  end
end

---@param client vim.lsp.Client
---@param changed table Settings, as under `fimLsp`.
local function change_settings(client, changed)
  client.settings = vim.tbl_deep_extend('force', client.settings, { fimLsp = changed })
  client:notify('workspace/didChangeConfiguration', { settings = client.settings })
end

--- Switches suggestions off, or on again, in all buffers; the model stays loaded.
---@param on? boolean Default: the opposite of what is set.
function M.toggle(on)
  local clients = vim.lsp.get_clients({ name = NAME })
  if #clients == 0 then
    notify_no_server()
    return
  end
  if on == nil then
    on = vim.tbl_get(clients[1].settings, 'fimLsp', 'enabled') == false
  end
  for _, client in ipairs(clients) do
    change_settings(client, { enabled = on })
  end
  vim.notify('fim_lsp: suggestions are ' .. (on and 'on' or 'off'))
end

--- Switches suggestions off, or on again, in the language of the current buffer.
---@param on? boolean Default: the opposite of what is so now.
function M.toggle_language(on)
  local bufnr = page.subject()
  local client = client_of({ bufnr = bufnr })
  if not client then
    notify_no_server()
    return
  end
  local language = client.get_language_id(bufnr, vim.bo[bufnr].filetype)
  local chosen = vim.tbl_get(client.settings, 'fimLsp', 'languages') or {}
  if vim.islist(chosen) then -- which names those that are off
    local off = {}
    for _, id in ipairs(chosen) do
      off[id] = false
    end
    chosen = off
  end
  if on == nil then
    local is_on = chosen[language]
    if is_on == nil then
      is_on = chosen['*'] ~= false and server_status.document_state(bufnr) ~= 'onRequest'
    end
    on = not is_on
  end
  chosen = vim.tbl_extend('force', chosen, { [language] = on })
  for _, each in ipairs(vim.lsp.get_clients({ name = NAME })) do
    change_settings(each, { languages = chosen })
  end
  vim.notify(('fim_lsp: suggestions in %s are %s'):format(language, on and 'on' or 'off'))
end

---@param bufnr integer
---@return fim_lsp.Status?
local function state_in(bufnr)
  local client = vim.api.nvim_buf_is_valid(bufnr) and client_of({ bufnr = bufnr })
  return client and server_status.get(client.id) or nil
end

--- Returns what the server says about itself; nil in a buffer that it does not serve.
---@return fim_lsp.Status?
function M.state()
  return state_in(vim.api.nvim_get_current_buf())
end

--- Returns a few characters for a statusline; none in a buffer that the server does not serve.
---
--- They are `FIM`, `FIM …` (at work), `FIM loading`, `FIM off`, `FIM on request` or `FIM error`, and
--- `FIM adding NAME 43%` while a model is added.
---@return string
function M.status()
  local status, bufnr = M.state(), vim.api.nvim_get_current_buf()
  if status then
    return vim.trim('FIM ' .. server_status.sign(status, bufnr))
  end
  return is_starting(bufnr) and 'FIM loading' or ''
end

--- Shows what the server says about itself and about the current buffer, and the commands.
function M.show_status()
  local bufnr = page.subject()
  page.show_live(function()
    return require('fim_lsp.pages').status(state_in(bufnr), bufnr, is_starting(bufnr))
  end, bufnr)
end

--- Lets the user choose among the models on this machine and those that can be downloaded.
function M.select_model()
  local client = client_of()
  if client then
    require('fim_lsp.models').select(client)
  else
    notify_no_server()
  end
end

---@param client vim.lsp.Client
---@param method string
---@param params table
---@param show fun(result: table)
local function ask_for_page(client, method, params, show)
  client:request(method, params, function(err, result)
    if err then
      local told = ('fim_lsp: the server does not answer: %s; :FimLsp log has more'):format(err.message)
      vim.notify(told, vim.log.levels.ERROR)
    else
      show(result)
    end
  end)
end

--- Shows why the last requests of the current buffer, or of all buffers, came to what they did.
function M.explain()
  local bufnr = page.subject()
  local served = client_of({ bufnr = bufnr })
  local client = served or client_of()
  if not client then
    notify_no_server()
    return
  end
  local params = served and { uri = vim.uri_from_bufnr(bufnr) } or vim.empty_dict()
  ask_for_page(client, 'fimLsp/explain', params, function(explanation)
    page.show(explanation.markdown, bufnr)
  end)
end

--- Shows how many keys were saved, by day, as counted on this machine.
function M.show_stats()
  local client, bufnr = client_of(), page.subject()
  if not client then
    notify_no_server()
    return
  end
  ask_for_page(client, 'fimLsp/stats', vim.empty_dict(), function(stats)
    page.show(require('fim_lsp.pages').stats(stats), bufnr)
  end)
end

return M
