-- Sets up key maps, the command and the handlers of the server's notifications.
-- `g:fim_lsp_maps = v:false` leaves the keys alone.  Nothing is started here: `vim.lsp.enable('fim_lsp')` does that.

if vim.g.loaded_fim_lsp or vim.fn.has('nvim-0.11') == 0 then
  return
end
vim.g.loaded_fim_lsp = true

local ACTIONS = {
  { key = '<Tab>', plug = '<Plug>(fim-lsp-accept)', name = 'accept', desc = 'Accept the suggestion' },
  { key = '<M-Right>', plug = '<Plug>(fim-lsp-accept-word)', name = 'accept_word', desc = 'Accept a word' },
  { key = '<M-C-Right>', plug = '<Plug>(fim-lsp-accept-line)', name = 'accept_line', desc = 'Accept a line' },
}

vim.lsp.handlers['fimLsp/status'] = function(...)
  require('fim_lsp.status').on_status(...)
end
vim.lsp.handlers['fimLsp/documentState'] = function(...)
  require('fim_lsp.status').on_document_state(...)
end

---@param previous table<string, any> What the key did before, as `maparg()` gives it.
---@param key string
---@return string # What the key does when nothing is suggested.
local function as_before(previous, key)
  if previous.callback then
    local keys = previous.callback()
    return previous.expr == 1 and keys or ''
  end
  if not previous.rhs then
    return key
  end
  local keys = previous.expr == 1 and vim.api.nvim_eval(previous.rhs) or previous.rhs
  if previous.noremap == 1 then
    return keys
  end
  vim.api.nvim_feedkeys(vim.keycode(keys), 'm', false)
  return ''
end

for _, action in ipairs(ACTIONS) do
  vim.keymap.set('i', action.plug, function()
    require('fim_lsp')[action.name]()
  end, { desc = 'fim-lsp: ' .. action.desc })
end
vim.keymap.set('i', '<Plug>(fim-lsp-trigger)', function()
  require('fim_lsp').trigger()
end, { desc = 'fim-lsp: ask for suggestions here' })
for plug, count in pairs({ ['<Plug>(fim-lsp-next)'] = 1, ['<Plug>(fim-lsp-previous)'] = -1 }) do
  vim.keymap.set('i', plug, function()
    require('fim_lsp').select(count)
  end, { desc = 'fim-lsp: another suggestion' })
end

---@param bufnr integer
local function map_keys(bufnr)
  if vim.g.fim_lsp_maps == false or vim.g.fim_lsp_maps == 0 or vim.b[bufnr].fim_lsp_maps then
    return
  end
  vim.b[bufnr].fim_lsp_maps = true
  for _, action in ipairs(ACTIONS) do
    if vim.fn.hasmapto(action.plug, 'i') == 0 then
      local previous = vim.fn.maparg(action.key, 'i', false, true)
      vim.keymap.set('i', action.key, function()
        return require('fim_lsp')[action.name]() and '' or as_before(previous, action.key)
      end, { buffer = bufnr, expr = true, desc = 'fim-lsp: ' .. action.desc })
    end
  end
  for key, plug in pairs({ ['<M-]>'] = '<Plug>(fim-lsp-next)', ['<M-[>'] = '<Plug>(fim-lsp-previous)' }) do
    if vim.fn.hasmapto(plug, 'i') == 0 and vim.fn.maparg(key, 'i') == '' then
      vim.keymap.set('i', key, plug, { buffer = bufnr, desc = 'fim-lsp: another suggestion' })
    end
  end
end

local group = vim.api.nvim_create_augroup('fim_lsp', {})

--- Hides what does not fit whenever the cursor moves.
---
--- These autocommands must run after Neovim's own, which draw, so they are made anew whenever insert
--- mode begins.
---@param bufnr integer
local function watch_typing(bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr, event = { 'CursorMovedI', 'TextChangedP' } })
  vim.api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedP' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      require('fim_lsp.requests').hide_misfit(bufnr)
    end,
  })
end

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  desc = 'fim-lsp: keys and ghost text of a buffer',
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if not client or client.name ~= 'fim_lsp' then
      return
    end
    client.handlers['window/showMessageRequest'] = function(...)
      return require('fim_lsp.models').on_question(...)
    end
    if not vim.lsp.inline_completion then
      return
    end
    local bufnr = event.buf
    require('fim_lsp.requests').attach(client)
    map_keys(bufnr)
    watch_typing(bufnr)
    vim.api.nvim_create_autocmd('InsertEnter', {
      group = group,
      buffer = bufnr,
      callback = function()
        watch_typing(bufnr)
      end,
    })
    vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufDelete' }, {
      group = group,
      buffer = bufnr,
      callback = function()
        require('fim_lsp.requests').forget(bufnr)
      end,
    })
  end,
})

vim.api.nvim_create_autocmd('LspDetach', {
  group = group,
  desc = 'fim-lsp: forget what the server said about a buffer',
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'fim_lsp' then
      require('fim_lsp.status').forget(event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd('LspProgress', {
  group = group,
  desc = 'fim-lsp: know which progress bar can be cancelled',
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'fim_lsp' then
      require('fim_lsp.models').on_progress(client.id, event.data.params)
    end
  end,
})

-- Neovim 0.12 says nothing when the program of a configuration is not there.
vim.api.nvim_create_autocmd('FileType', {
  group = group,
  desc = 'fim-lsp: say once that the server is not installed',
  callback = function(event)
    local config = vim.lsp.config['fim_lsp']
    local cmd = config and config.cmd
    if
      vim.lsp.is_enabled
      and vim.lsp.is_enabled('fim_lsp')
      and type(cmd) == 'table'
      and vim.list_contains(config.filetypes or {}, event.match)
      and vim.fn.executable(cmd[1]) == 0
    then
      vim.schedule(function()
        vim.notify_once(
          ('fim_lsp: %s is not on PATH; :checkhealth fim_lsp says how to install it'):format(cmd[1]),
          vim.log.levels.ERROR
        )
      end)
    end
  end,
})

vim.api.nvim_create_user_command('FimLsp', function(arguments)
  require('fim_lsp.commands').run(arguments.args)
end, {
  nargs = '?',
  desc = 'fim-lsp: the state of the server, and its commands',
  complete = function(start)
    return require('fim_lsp.commands').complete(start)
  end,
})
