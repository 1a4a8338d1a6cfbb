--- Follows the requests for inline completion and keeps ghost text in step with what is typed.
---
--- Neovim 0.12 never cancels a request while the user types, shows every answer that comes in, and
--- goes on showing an item that no longer continues the text.  This module drops answers that do not
--- fit and hides what has ceased to fit.

local internals = require('fim_lsp.internals')

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED = 1

---@class fim_lsp.Place Cursor and line at the time of a request.
---@field row integer
---@field col integer Byte in the line.
---@field line string

---@class fim_lsp.Answer
---@field place fim_lsp.Place
---@field items lsp.InlineCompletionItem[]

---@type table<integer, fim_lsp.Answer?> The answer that is shown, by buffer.
local shown = {}
---@type table<integer, true?> Buffers whose next request is an explicit one.
local invoked_next = {}
---@type table<integer, true?> Clients whose requests are followed.
local attached = {}

---@param bufnr integer
---@return fim_lsp.Place?
local function cursor_place(bufnr)
  local win = vim.api.nvim_get_current_win()
  if vim.api.nvim_win_get_buf(win) ~= bufnr then
    return nil
  end
  local row, col = unpack(vim.api.nvim_win_get_cursor(win))
  local line = vim.api.nvim_buf_get_lines(bufnr, row - 1, row, false)[1]
  return { row = row - 1, col = col, line = line }
end

--- Returns what was typed since `before`; nil if anything else in the line has changed.
---@param before fim_lsp.Place
---@param now fim_lsp.Place?
---@return string?
local function typed_since(before, now)
  if not now or now.row ~= before.row or now.col < before.col then
    return nil
  end
  local is_same = now.line:sub(1, before.col) == before.line:sub(1, before.col)
    and now.line:sub(now.col + 1) == before.line:sub(before.col + 1)
  return is_same and now.line:sub(before.col + 1, now.col) or nil
end

--- Tells whether each item of an answer begins with what was typed since the request.
---@param answer fim_lsp.Answer
---@param bufnr integer
---@return boolean
local function fits(answer, bufnr)
  local typed = typed_since(answer.place, cursor_place(bufnr))
  if not typed then
    return false
  end
  for _, item in ipairs(answer.items) do
    if not vim.startswith(item.insertText, typed) then
      return false
    end
  end
  return true
end

---@param params lsp.InlineCompletionParams
---@param handler lsp.Handler
---@param bufnr integer
---@return lsp.Handler # Passes on the answers that fit.
local function follow(params, handler, bufnr)
  if invoked_next[bufnr] then
    invoked_next[bufnr] = nil
    params.context.triggerKind = INVOKED
  end
  local place = cursor_place(bufnr)
  return function(err, result, ...)
    if not err and result and place then
      local answer = { place = place, items = result.items or result }
      if #answer.items > 0 and not fits(answer, bufnr) then
        return -- what is shown now may be the answer to a newer request
      end
      shown[bufnr] = answer
    end
    return handler(err, result, ...)
  end
end

--- Follows the requests of a client from now on.
---@param client vim.lsp.Client
function M.attach(client)
  if not attached[client.id] then
    attached[client.id] = true
    internals.intercept(client, METHOD, follow)
  end
end

--- Hides ghost text that no longer continues the text at the cursor; call after Neovim has drawn it.
---@param bufnr integer
function M.hide_misfit(bufnr)
  local answer = shown[bufnr]
  -- The answer is kept though it does not fit: Neovim draws it again at each key until the next one.
  if answer and not fits(answer, bufnr) then
    internals.hide_ghost_text(bufnr)
  end
end

--- Sends an explicit request, which the server answers with several suggestions.
---@param bufnr integer
---@return boolean # False where this version of Neovim gives no way to do so.
function M.ask(bufnr)
  invoked_next[bufnr] = true
  return internals.send_request(bufnr)
end

--- Makes the next request of a buffer an explicit one.
---@param bufnr integer
function M.ask_next(bufnr)
  invoked_next[bufnr] = true
end

--- Forgets what is shown in a buffer.
---@param bufnr integer
function M.forget(bufnr)
  shown[bufnr], invoked_next[bufnr] = nil, nil
end

return M
