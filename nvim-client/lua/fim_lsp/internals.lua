--- Reaches into private parts of Neovim's inline completion; no other module of the plugin does.
---
--- Neovim 0.12 has no public function to drop an answer, to hide ghost text or to ask for several
--- suggestions.  So `client.request` is replaced, the extmarks of ghost text are read and cleared, and
--- `CursorMovedI` is fired to make Neovim ask.  On a version where nobody tried this, everything here
--- does nothing, and Neovim's log says so once.

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
local TRIED = { major = 0, minor = 12 }

---@type boolean?
local supported

--- Tells whether these private parts are known in the running version of Neovim.
---@return boolean
function M.is_supported()
  if supported == nil then
    local version = vim.version()
    supported = version.major == TRIED.major and version.minor == TRIED.minor
    if not supported then
      vim.lsp.log.warn(
        ('fim_lsp: tried with Neovim %d.%d, not with %s; ghost text that no longer fits is not hidden, and '):format(
          TRIED.major,
          TRIED.minor,
          vim.version()
        ) .. 'no further suggestions are asked for. Update the plugin.'
      )
    end
  end
  return supported
end

--- Lets a function see the requests of one method and replace their handlers.
---@param client vim.lsp.Client
---@param method string
---@param around fun(params: table, handler: lsp.Handler, bufnr: integer): lsp.Handler
function M.intercept(client, method, around)
  if not M.is_supported() then
    return
  end
  local request = client.request
  ---@diagnostic disable-next-line: duplicate-set-field
  client.request = function(self, requested, params, handler, bufnr)
    if requested == method and handler then
      bufnr = (bufnr and bufnr ~= 0) and bufnr or vim.api.nvim_get_current_buf()
      handler = around(params, handler, bufnr)
    end
    return request(self, requested, params, handler, bufnr)
  end
end

--- Tells whether a server was started that has not answered yet; false where Neovim does not tell.
---@param filter vim.lsp.get_clients.Filter
---@return boolean
function M.is_starting(filter)
  -- A version that does not know the private entry leaves such clients out, which is false here.
  local all = vim.lsp.get_clients(vim.tbl_extend('force', filter, { _uninitialized = true }))
  return #all > #vim.lsp.get_clients(filter)
end

--- Hides ghost text until Neovim draws it again.
---@param bufnr integer
function M.hide_ghost_text(bufnr)
  if M.is_supported() then
    vim.api.nvim_buf_clear_namespace(bufnr, NAMESPACE, 0, -1)
  end
end

--- Tells whether ghost text can be seen in a buffer; true where that is not known.
---@param bufnr integer
---@return boolean
function M.has_ghost_text(bufnr)
  if not M.is_supported() then
    return true
  end
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

--- Makes Neovim send a request for the cursor's place, as it does when the cursor moves.
---@param bufnr integer
---@return boolean # False where that is not known to work.
function M.send_request(bufnr)
  if M.is_supported() then
    vim.api.nvim_exec_autocmds('CursorMovedI', { buffer = bufnr, modeline = false })
  end
  return M.is_supported()
end

return M
