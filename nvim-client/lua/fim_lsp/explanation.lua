--- Shows the server's explanation of the last requests in a scratch buffer.

local M = {}

---@type integer?
local buffer

---@return integer # The scratch buffer, made if there is none.
local function scratch_buffer()
  if not buffer or not vim.api.nvim_buf_is_valid(buffer) then
    buffer = vim.api.nvim_create_buf(false, true)
    vim.bo[buffer].bufhidden = 'wipe'
    vim.bo[buffer].filetype = 'markdown'
    vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer, nowait = true, desc = 'Close the explanation' })
  end
  return buffer
end

--- Shows Markdown as it is, in the window of an earlier explanation if there is one.
---@param markdown string
function M.show(markdown)
  local bufnr = scratch_buffer()
  local lines = vim.split(vim.trim(markdown), '\n', { plain = true })
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  local win = vim.fn.bufwinid(bufnr)
  if win == -1 then
    local height = math.min(#lines, math.floor(vim.o.lines / 2))
    win = vim.api.nvim_open_win(bufnr, true, { split = 'below', height = height })
    vim.wo[win].conceallevel = 2 -- hides the marks of Markdown
  end
  vim.api.nvim_set_current_win(win)
  vim.api.nvim_win_set_cursor(win, { 1, 0 })
end

return M
