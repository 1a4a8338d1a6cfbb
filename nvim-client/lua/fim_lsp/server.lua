--- Starts the server again, and finds its log.

local M = {}

local NAME = 'fim_lsp'
local LOG = 'fim-lsp.log'
local LOOK_MS = 50
local MAX_LOOKS = 60

--- Waits until a client has ended, which it is made to do if it takes too long.
---@param client vim.lsp.Client
---@param done fun()
---@param looks? integer
local function when_ended(client, done, looks)
  looks = looks or 0
  if client:is_stopped() then
    done()
    return
  end
  if looks == MAX_LOOKS then
    client:stop(true)
  end
  vim.defer_fn(function()
    when_ended(client, done, looks + 1)
  end, LOOK_MS)
end

--- Starts the server again for all buffers that it serves, or for the first time.
function M.restart()
  local clients = vim.lsp.get_clients({ name = NAME })
  if #clients == 0 then
    vim.lsp.enable(NAME)
  end
  for _, client in ipairs(clients) do
    local config = client.config
    local buffers = vim.tbl_keys(client.attached_buffers)
    client:stop()
    when_ended(client, function()
      for _, bufnr in ipairs(buffers) do
        if vim.api.nvim_buf_is_loaded(bufnr) then
          vim.lsp.start(config, { bufnr = bufnr })
        end
      end
    end)
  end
end

---@return string # The file of the server's log, which may not be there.
local function default_log()
  if vim.fn.has('win32') == 1 then
    return vim.fs.joinpath(vim.env.LOCALAPPDATA, 'fim-lsp', 'Logs', LOG)
  elseif vim.fn.has('mac') == 1 then
    return vim.fs.joinpath(vim.env.HOME, 'Library', 'Logs', 'fim-lsp', LOG)
  end
  return vim.fs.joinpath(vim.fs.dirname(vim.fn.stdpath('state')), 'fim-lsp', 'log', LOG)
end

--- Opens the end of the server's log, or of Neovim's own where the server has written none.
function M.open_log()
  local path = default_log()
  if not vim.uv.fs_stat(path) then
    path = (vim.lsp.log.get_filename or vim.lsp.get_log_path)()
  end
  vim.cmd.sview({ args = { vim.fn.fnameescape(path) }, mods = { split = 'botright' } })
  vim.bo.autoread = true
  vim.cmd.normal({ 'G', bang = true })
end

return M
