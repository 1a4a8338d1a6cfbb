--- Shows Markdown in one scratch window, which each page takes from the last one.

local M = {}

---@type integer?
local buffer
---@type integer? The buffer that the page tells of.
local subject
---@type fun()? Stops the updates of the page that is shown.
local stop_updates

---@return integer # The scratch buffer, made if there is none.
local function scratch_buffer()
  if not buffer or not vim.api.nvim_buf_is_valid(buffer) then
    buffer = vim.api.nvim_create_buf(false, true)
    vim.bo[buffer].bufhidden = 'wipe'
    vim.bo[buffer].filetype = 'markdown'
    vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer, nowait = true, desc = 'Close the page' })
  end
  return buffer
end

--- Returns the buffer that a command is about: the current one, or in a page the one it tells of.
---@return integer
function M.subject()
  local current = vim.api.nvim_get_current_buf()
  return current == buffer and subject and vim.api.nvim_buf_is_valid(subject) and subject or current
end

---@param bufnr integer
---@param markdown string
---@return string[] # The lines that the buffer has now.
local function fill(bufnr, markdown)
  local lines = vim.split(vim.trim(markdown), '\n', { plain = true })
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  return lines
end

--- Shows Markdown as it is, in the window of an earlier page if there is one.
---@param markdown string
---@param about? integer The buffer that the page tells of.
function M.show(markdown, about)
  if stop_updates then
    stop_updates()
  end
  local bufnr = scratch_buffer()
  subject = about
  local lines = fill(bufnr, markdown)
  local win = vim.fn.bufwinid(bufnr)
  if win == -1 then
    local height = math.min(#lines, math.floor(vim.o.lines / 2))
    win = vim.api.nvim_open_win(bufnr, true, { split = 'below', height = height })
    vim.wo[win].conceallevel = 2 -- hides the marks of Markdown
  end
  vim.api.nvim_set_current_win(win)
  vim.api.nvim_win_set_cursor(win, { 1, 0 })
end

--- Shows a page that is written anew whenever the state of the server changes.
---@param write fun(): string
---@param about integer
function M.show_live(write, about)
  M.show(write(), about)
  local shown = assert(buffer)
  local id = vim.api.nvim_create_autocmd('User', {
    pattern = 'FimLspStatus',
    desc = 'fim-lsp: the page of the state',
    callback = function()
      if not vim.api.nvim_buf_is_valid(shown) then
        return true -- which ends the updates
      end
      fill(shown, write())
    end,
  })
  stop_updates = function()
    stop_updates = nil
    pcall(vim.api.nvim_del_autocmd, id)
  end
end

return M
