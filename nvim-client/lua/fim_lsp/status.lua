--- Keeps what the server says about itself and about documents, and puts it into words.

local M = {}

---@class fim_lsp.Status Parameters of `fimLsp/status`.
---@field state 'starting'|'ready'|'busy'|'error'|'disabled'
---@field model string
---@field engine string
---@field message string
---@field adding? { model: string, share: number, step: string }|vim.NIL Model that is being added.
---@field keptTexts? { number: integer, usedBytes: integer, maxBytes: integer } Memory of what was read.
---@field warning? string What is wrong while another model stands in.
---@field languages? string[] Languages in which the model suggests while the user types.

---@class fim_lsp.DocumentState Parameters of `fimLsp/documentState`.
---@field uri string
---@field state 'active'|'disabled'|'excluded'|'onRequest'
---@field message string

local SIGNS = { starting = 'loading', busy = '…', error = 'error', disabled = 'off' }
local DOCUMENT_SIGNS = { disabled = 'off', excluded = 'off', onRequest = 'on request' }

---@type table<integer, fim_lsp.Status?> By client.
local statuses = {}
---@type table<integer, fim_lsp.DocumentState?> States that are not `active`, by buffer.
local documents = {}

--- Redraws the statusline and tells who listens that something has changed.
---@param status? fim_lsp.Status
local function announce(status)
  vim.schedule(function()
    vim.cmd.redrawstatus({ bang = true })
    vim.api.nvim_exec_autocmds('User', { pattern = 'FimLspStatus', modeline = false, data = status })
  end)
end

--- Handles the notification `fimLsp/status`.
---@param status fim_lsp.Status
---@param context lsp.HandlerContext
function M.on_status(_, status, context)
  statuses[context.client_id] = status
  announce(status)
end

--- Handles the notification `fimLsp/documentState`.
---@param document fim_lsp.DocumentState
function M.on_document_state(_, document)
  documents[vim.uri_to_bufnr(document.uri)] = document.state ~= 'active' and document or nil
  announce()
end

--- Forgets a buffer that the server no longer serves.
---@param bufnr integer
function M.forget(bufnr)
  documents[bufnr] = nil
end

---@param client_id integer
---@return fim_lsp.Status?
function M.get(client_id)
  return statuses[client_id]
end

---@param status fim_lsp.Status
---@return string # How far a model that is being added is; empty where none is.
local function adding(status)
  local now = status.adding
  return type(now) == 'table' and ('adding %s %.0f%%'):format(now.model, now.share * 100) or ''
end

--- Returns the sign for a statusline, without the name `FIM`; empty when suggestions come.
---@param status fim_lsp.Status
---@param bufnr integer
---@return string
function M.sign(status, bufnr)
  local document = documents[bufnr]
  local sign = SIGNS[status.state] or document and DOCUMENT_SIGNS[document.state] or ''
  return vim.trim(sign .. ' ' .. adding(status))
end

---@param bufnr integer
---@return string? # State of a document that is not `active`.
function M.document_state(bufnr)
  return documents[bufnr] and documents[bufnr].state
end

---@param status fim_lsp.Status
---@param bufnr integer
---@return string[] # All that is known, in sentences or parts of them.
function M.facts(status, bufnr)
  local facts = {}
  local function add(form, ...)
    table.insert(facts, form:format(...))
  end
  local document, kept = documents[bufnr], status.keptTexts
  if document then
    add('this buffer: %s', document.message)
  end
  if status.languages and #status.languages > 0 then
    add('suggests while you type in %s', table.concat(status.languages, ', '))
  end
  if adding(status) ~= '' then
    add('%s: %s', adding(status), status.adding.step)
  end
  if status.warning then
    add('%s', status.warning)
  end
  if kept then
    add('keeps %.0f of %.0f MB that it has read', kept.usedBytes / 1e6, kept.maxBytes / 1e6)
  end
  return facts
end

return M
