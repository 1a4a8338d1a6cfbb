--- Keeps what the server says about itself and about documents, and puts it into words.

local M = {}

---@class fim_lsp.Status Parameters of `fimLsp/status`.
---@field state 'starting'|'ready'|'busy'|'error'|'disabled'
---@field model string
---@field engine string
---@field message string
---@field adding? { model: string, share: number }|vim.NIL Model that is being added.
---@field keptTexts? { number: integer, usedBytes: integer, maxBytes: integer } Memory of what was read.
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

--- Returns all that is known, in one line for people.
---@param status fim_lsp.Status
---@param bufnr integer
---@return string
function M.describe(status, bufnr)
  local parts = { status.state }
  if status.message ~= '' then
    table.insert(parts, status.message)
  end
  if status.model ~= '' then
    table.insert(parts, status.engine ~= '' and ('%s on %s'):format(status.model, status.engine) or status.model)
  end
  if adding(status) ~= '' then
    table.insert(parts, adding(status))
  end
  local kept = status.keptTexts
  if kept then
    local memory = 'keeps %.0f of %.0f MB that it has read'
    table.insert(parts, memory:format(kept.usedBytes / 1e6, kept.maxBytes / 1e6))
  end
  if status.languages and #status.languages > 0 then
    table.insert(parts, 'suggests while you type in ' .. table.concat(status.languages, ', '))
  end
  local document = documents[bufnr]
  if document then
    table.insert(parts, 'this buffer: ' .. document.message)
  end
  return table.concat(parts, '; ')
end

return M
