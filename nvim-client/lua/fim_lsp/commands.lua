--- Has the subcommands of `:FimLsp`, with what the page of `:FimLsp` says of each.

local M = {}

---@class fim_lsp.Command
---@field name string
---@field does string
---@field run fun()

--- Returns a function that calls one of the plugin, which is loaded only then.
---@param module string
---@param name string
---@return fun()
local function call(module, name)
  return function()
    require(module)[name]()
  end
end

---@type fim_lsp.Command[]
M.ALL = {
  { name = 'status', does = 'this page', run = call('fim_lsp', 'show_status') },
  { name = 'explain', does = 'why there was a suggestion, or none', run = call('fim_lsp', 'explain') },
  { name = 'trigger', does = 'ask for suggestions here', run = call('fim_lsp', 'trigger') },
  { name = 'toggle', does = 'suggestions off, or on again', run = call('fim_lsp', 'toggle') },
  { name = 'language', does = 'the same for the language of the buffer', run = call('fim_lsp', 'toggle_language') },
  { name = 'models', does = 'choose a model, or download one', run = call('fim_lsp', 'select_model') },
  { name = 'offer', does = "show the server's question about a model", run = call('fim_lsp.models', 'offer') },
  { name = 'cancel', does = 'stop the adding of a model', run = call('fim_lsp.models', 'cancel') },
  { name = 'stats', does = 'keys that were saved, by day', run = call('fim_lsp', 'show_stats') },
  { name = 'restart', does = 'start the server again', run = call('fim_lsp.server', 'restart') },
  { name = 'log', does = "open the server's log", run = call('fim_lsp.server', 'open_log') },
}

---@param start string
---@return fim_lsp.Command[] # The commands whose names begin so.
local function beginning_with(start)
  return vim.tbl_filter(function(command)
    return vim.startswith(command.name, start)
  end, M.ALL)
end

---@param start string
---@return string[] # The names that begin so, in the order of the page.
function M.complete(start)
  return vim.tbl_map(function(command)
    return command.name
  end, beginning_with(start))
end

--- Runs a subcommand; a beginning that only one name has is enough, and nothing shows the page.
---@param name string
function M.run(name)
  local found = beginning_with(name)
  if name == '' or #found == 1 then
    found[1].run()
    return
  end
  for _, command in ipairs(found) do
    if command.name == name then
      command.run()
      return
    end
  end
  local names = table.concat(M.complete(''), ', ')
  vim.notify(('fim_lsp: there is no command %s; use one of %s'):format(name, names), vim.log.levels.ERROR)
end

return M
