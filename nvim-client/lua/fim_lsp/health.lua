--- Finds what keeps ghost text from being shown, and names the next step: `:checkhealth fim_lsp`.

local M = {}

local health = vim.health

---@return string[]? # The command that starts the server.
local function command()
  local config = vim.lsp.config['fim_lsp']
  return config and type(config.cmd) == 'table' and config.cmd or nil
end

---@param cmd string[]
---@param ... string
---@return string[] # The same program with other arguments.
local function with_arguments(cmd, ...)
  local program = cmd[2] == '-m' and { cmd[1], cmd[2], cmd[3] } or { cmd[1] }
  return vim.list_extend(program, { ... })
end

---@param cmd string[]
---@return boolean # Whether the program starts.
local function check_program(cmd)
  if vim.fn.executable(cmd[1]) == 0 then
    health.error(('%s is not on PATH'):format(cmd[1]), {
      'pipx install fim-lsp, or from a clone of https://github.com/fim-lsp/fim-lsp: pipx install .',
      "or name the program: vim.lsp.config('fim_lsp', { cmd = { '/path/to/fim-lsp' } })",
    })
    return false
  end
  local run = vim.system(with_arguments(cmd, '--version'), { text = true, timeout = 20000 }):wait()
  if run.code ~= 0 then
    local last = vim.split(vim.trim(run.stderr or ''), '\n')
    health.error(('%s does not start: %s'):format(cmd[1], last[#last]), {
      'install it again: pip install --force-reinstall fim-lsp (Python 3.10 or later)',
    })
    return false
  end
  health.ok(('%s: %s'):format(vim.fn.exepath(cmd[1]), vim.trim(run.stdout)))
  return true
end

---@param cmd string[]
local function check_model(cmd)
  local run = vim.system(with_arguments(cmd, 'doctor', '--json'), { text = true, timeout = 60000 }):wait()
  local is_read, report = pcall(vim.json.decode, run.stdout or '')
  if not is_read or type(report) ~= 'table' then
    health.error('fim-lsp doctor gave no report', { 'run it in a terminal: fim-lsp doctor' })
    return
  end
  if report.ok then
    health.ok(
      ('model %s on %s, first token after %.0f ms'):format(report.model, report.engine, report.first_token_ms)
    )
  end
  for _, entry in ipairs(report.problems) do
    (report.ok and health.warn or health.error)(entry.problem, { entry.remedy })
  end
end

local function check_editor()
  if vim.lsp.inline_completion then
    health.ok(('Neovim %s has inline completion'):format(vim.version()))
    if vim.lsp.inline_completion.is_enabled() then
      health.ok('inline completion is enabled')
    else
      health.warn('inline completion is not enabled', { 'vim.lsp.inline_completion.enable()' })
    end
    if not require('fim_lsp.internals').is_supported() then
      health.warn('the plugin was not tried with this version: ghost text that no longer fits is not hidden', {
        'update the plugin',
      })
    end
  else
    health.warn(('Neovim %s shows no ghost text'):format(vim.version()), {
      'update to Neovim 0.12',
      'or take suggestions in the completion menu, with init_options = { completionFallback = true }',
      'see :help fim-lsp-fallback',
    })
  end
end

local function check_clients()
  local clients = vim.lsp.get_clients({ name = 'fim_lsp' })
  if #clients == 0 and require('fim_lsp.internals').is_starting({ name = 'fim_lsp' }) then
    health.info('the server is starting')
  elseif #clients == 0 then
    health.warn('the server is not running', {
      "vim.lsp.enable('fim_lsp'), and open a file of a type that the configuration names",
      'what the server said before it ended is in ' .. (vim.lsp.log.get_filename or vim.lsp.get_log_path)(),
    })
  end
  for _, client in ipairs(clients) do
    local buffers = vim.tbl_count(client.attached_buffers or {})
    health.ok(('the server runs (client %d) and serves %d buffers'):format(client.id, buffers))
  end
end

function M.check()
  health.start('fim_lsp: editor')
  if vim.fn.has('nvim-0.11') == 0 then
    health.error('Neovim 0.11 or later is needed, 0.12 for ghost text')
    return
  end
  check_editor()
  health.start('fim_lsp: server')
  local cmd = command()
  if not cmd then
    health.error('there is no configuration fim_lsp', { 'is the folder nvim-client on the runtimepath?' })
    return
  end
  if check_program(cmd) then
    check_model(cmd)
  end
  check_clients()
end

return M
