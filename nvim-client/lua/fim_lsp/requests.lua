--- What goes over the wire for inline completion, seen from the client's side.
---
--- Neovim 0.12 never cancels a request while one types, shows whatever answer comes in, and goes on
--- showing an item that no longer fits what was typed.  Here answers that do not fit are dropped,
--- and what does not fit any more is hidden.

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local NAMESPACE = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
local INVOKED = 1

---@class fim_lsp.Place Where a request was made.
---@field row integer
---@field col integer Byte in the line.
---@field line string The whole line at that time.

---@class fim_lsp.Answer
---@field place fim_lsp.Place
---@field items lsp.InlineCompletionItem[]

---@type table<integer, fim_lsp.Answer?> By buffer.
local shown = {}
---@type table<integer, true?> By buffer: the next request was asked for by the user.
local is_asked_for = {}
---@type table<integer, true?> By client.
local is_followed = {}

---@param bufnr integer
---@return fim_lsp.Place?
local function here(bufnr)
  local win = vim.api.nvim_get_current_win()
  if vim.api.nvim_win_get_buf(win) ~= bufnr then
    return nil
  end
  local row, col = unpack(vim.api.nvim_win_get_cursor(win))
  local line = vim.api.nvim_buf_get_lines(bufnr, row - 1, row, false)[1]
  return { row = row - 1, col = col, line = line }
end

--- What was typed since `before`, when nothing else has changed in the line; nil otherwise.
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

---@param answer fim_lsp.Answer
---@param bufnr integer
---@return boolean
local function fits(answer, bufnr)
  local typed = typed_since(answer.place, here(bufnr))
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

--- Follow the requests of a client from now on.
---@param client vim.lsp.Client
function M.follow(client)
  if is_followed[client.id] then
    return
  end
  is_followed[client.id] = true
  local request = client.request
  ---@diagnostic disable-next-line: duplicate-set-field
  client.request = function(self, method, params, handler, bufnr)
    if method ~= METHOD or not handler then
      return request(self, method, params, handler, bufnr)
    end
    bufnr = (bufnr and bufnr ~= 0) and bufnr or vim.api.nvim_get_current_buf()
    if is_asked_for[bufnr] then
      is_asked_for[bufnr] = nil
      params.context.triggerKind = INVOKED
    end
    local place = here(bufnr)
    return request(self, method, params, function(err, result, ...)
      if not err and result and place then
        local answer = { place = place, items = result.items or result }
        if #answer.items > 0 and not fits(answer, bufnr) then
          return -- what is shown now may be the answer to a newer request
        end
        shown[bufnr] = answer
      end
      return handler(err, result, ...)
    end, bufnr)
  end
end

--- Hide what no longer continues the text at the cursor; call when Neovim has drawn it.
---@param bufnr integer
function M.hide_misfit(bufnr)
  local answer = shown[bufnr]
  -- Kept though it does not fit: Neovim draws it again at each key until the next answer.
  if answer and not fits(answer, bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, NAMESPACE, 0, -1)
  end
end

--- Whether ghost text can be seen in a buffer.
---@param bufnr integer
---@return boolean
function M.is_shown(bufnr)
  local options = { details = true }
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(bufnr, NAMESPACE, 0, -1, options)) do
    local details = mark[4] or {}
    if details.virt_lines and #details.virt_lines > 0 then
      return true
    end
    for _, chunk in ipairs(details.virt_text or {}) do
      if chunk[1] ~= '' then
        return true
      end
    end
  end
  return false
end

--- Ask for several suggestions, as when the user asks.
---
--- Neovim 0.12 has no function for it: its own request, which a moved cursor causes, is made into
--- that.
---@param bufnr integer
function M.ask(bufnr)
  is_asked_for[bufnr] = true
  vim.api.nvim_exec_autocmds('CursorMovedI', { buffer = bufnr, modeline = false })
end

---@param bufnr integer
function M.forget(bufnr)
  shown[bufnr], is_asked_for[bufnr] = nil, nil
end

return M
