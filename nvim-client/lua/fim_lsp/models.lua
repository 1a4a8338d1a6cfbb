--- Lists, adds and chooses models, and shows the server's offer when the user asks for it.

local M = {}

local NAME = 'fim_lsp'
local PROGRESS_TITLE = '^Adding '

---@class fim_lsp.Question Question of the server that waits for the user.
---@field params lsp.ShowMessageRequestParams
---@field answer fun(action: lsp.MessageActionItem|vim.NIL)

---@class fim_lsp.InstalledModel
---@field name string
---@field problem string Why it cannot be used; empty if it can.
---@field parameters integer
---@field bytes integer
---@field license string
---@field isCurrent boolean

---@class fim_lsp.AvailableModel
---@field name string
---@field license string
---@field licenseUrl string
---@field isPermissive boolean
---@field downloadBytes integer
---@field memoryBytes integer
---@field keyMs number
---@field fits boolean
---@field isRecommended boolean
---@field isInstalled boolean
---@field why string

---@type table<integer, fim_lsp.Question?> By client.
local questions = {}
---@type table<integer, lsp.ProgressToken?> Token of the bar of the model that is being added, by client.
local tokens = {}

---@param message string
---@param level? integer
local function say(message, level)
  vim.notify('fim_lsp: ' .. message, level or vim.log.levels.INFO)
end

--- Keeps a question of the server until the user wants to see it.
---
--- Neovim's own handler would stop the user in the middle of a word.  The text is short, for a longer
--- one than a line would have to be dismissed with a key.
---@param params lsp.ShowMessageRequestParams
---@param context lsp.HandlerContext
---@return any # The chosen action, when there is one.
function M.on_question(_, params, context)
  local waiting, is_main = coroutine.running()
  if not waiting or is_main then
    return vim.NIL
  end
  M.forget(context.client_id)
  questions[context.client_id] = {
    params = params,
    answer = function(action)
      questions[context.client_id] = nil
      coroutine.resume(waiting, action)
    end,
  }
  local is_error = params.type == vim.lsp.protocol.MessageType.Error
  say(
    is_error and 'a model was not added; :FimLsp offer says why' or 'there is a better model; :FimLsp offer shows it',
    is_error and vim.log.levels.WARN or vim.log.levels.INFO
  )
  return coroutine.yield()
end

--- Answers a question that waits with nothing, for the client has gone or asks another one.
---@param client_id integer
function M.forget(client_id)
  if questions[client_id] then
    questions[client_id].answer(vim.NIL)
  end
end

--- Shows the question that waits, with its answers to choose from; it goes on waiting if none is chosen.
function M.offer()
  local _, question = next(questions)
  if not question then
    say('nothing is offered; :FimLsp models lists what there is')
    return
  end
  vim.ui.select(question.params.actions or {}, {
    prompt = question.params.message,
    kind = 'fim_lsp_offer',
    format_item = function(action)
      return action.title
    end,
  }, function(action)
    if action then
      question.answer(action)
    end
  end)
end

--- Notes the progress bar of a model that is being added.
---@param client_id integer
---@param params lsp.ProgressParams
function M.on_progress(client_id, params)
  local value = params.value
  if value.kind == 'begin' and value.cancellable and tostring(value.title):find(PROGRESS_TITLE) then
    tokens[client_id] = params.token
  elseif value.kind == 'end' and tokens[client_id] == params.token then
    tokens[client_id] = nil
  end
end

--- Stops the adding of a model; what has been fetched is kept for the next time.
function M.cancel()
  local client_id, token = next(tokens)
  local client = client_id and vim.lsp.get_client_by_id(client_id)
  if not client then
    say('no model is being added')
    return
  end
  client:notify('window/workDoneProgress/cancel', { token = token })
end

---@param client vim.lsp.Client
---@param command string
---@param argument table
---@param done string What to say when it went well.
local function execute(client, command, argument, done)
  local params = { command = command, arguments = { argument } }
  client:request('workspace/executeCommand', params, function(err, result)
    if not err then
      local hint = result and result.message or ''
      say(hint ~= '' and hint or done, hint ~= '' and vim.log.levels.WARN or nil)
    elseif err.code == vim.lsp.protocol.ErrorCodes.RequestCancelled then
      say('cancelled; what was fetched is kept')
    else
      say(err.message, vim.log.levels.ERROR)
    end
  end)
end

---@param client vim.lsp.Client
---@param model fim_lsp.AvailableModel
local function add(client, model)
  local function start()
    say(('%s is being added; :FimLsp cancel stops it'):format(model.name))
    local argument = { name = model.name, acceptLicense = true }
    execute(client, 'fimLsp.addModel', argument, model.name .. ' is added and will be used')
  end
  if model.isPermissive then
    start()
    return
  end
  local prompt = ('The license of %s (%s) has conditions: %s'):format(model.name, model.license, model.licenseUrl)
  vim.ui.select({ 'Accept the license and download', 'Cancel' }, { prompt = prompt }, function(_, index)
    if index == 1 then
      start()
    end
  end)
end

--- Says when another model than the present one answers, once.
---@param client vim.lsp.Client
local function tell_when_ready(client)
  local before = (require('fim_lsp.status').get(client.id) or {}).model
  vim.api.nvim_create_autocmd('User', {
    group = vim.api.nvim_create_augroup('fim_lsp_chosen', {}), -- the last choice counts
    pattern = 'FimLspStatus',
    desc = 'fim-lsp: say that the chosen model is ready',
    callback = function(event)
      local status = event.data
      if not status or status.state ~= 'ready' or status.model == before then
        return false
      end
      say(status.model .. ' is ready')
      return true
    end,
  })
end

---@param bytes integer
---@return string
local function size(bytes)
  return bytes >= 1e9 and ('%.1f GB'):format(bytes / 1e9) or ('%.0f MB'):format(bytes / 1e6)
end

---@param model fim_lsp.InstalledModel
---@return string
local function describe_installed(model)
  if model.problem ~= '' then
    return ('%s (cannot be used: %s)'):format(model.name, model.problem)
  end
  local place = model.isCurrent and 'in use' or 'on this machine'
  return ('%s (%s): %.0f M parameters, %s'):format(model.name, place, model.parameters / 1e6, size(model.bytes))
end

---@param milliseconds number
---@return string
local function duration(milliseconds)
  return milliseconds < 1000 and ('%.0f ms'):format(milliseconds) or ('%.1f s'):format(milliseconds / 1e3)
end

---@param model fim_lsp.AvailableModel
---@return string # Short, for Neovim stops the user where the list is longer than the screen.
local function describe_available(model)
  local mark = model.isRecommended and 'recommended' or model.fits and 'to download' or 'too large here'
  local figures = { size(model.downloadBytes), size(model.memoryBytes), duration(model.keyMs), model.license }
  return ('%s (%s): %s'):format(model.name, mark, table.concat(figures, ', '))
end

--- Lets the user choose among the models on this machine and those that can be had.
---@param client vim.lsp.Client
function M.select(client)
  client:request('fimLsp/models', vim.empty_dict(), function(err, models)
    if err then
      say('the models cannot be listed: ' .. err.message, vim.log.levels.ERROR)
      return
    end
    if models.problem ~= '' then
      say(models.problem, vim.log.levels.WARN)
    end
    local items = {}
    for _, model in ipairs(models.installed) do
      items[#items + 1] = { model = model, is_here = true, text = describe_installed(model) }
    end
    for _, model in ipairs(models.available) do
      if not model.isInstalled then
        items[#items + 1] = { model = model, is_here = false, text = describe_available(model) }
      end
    end
    vim.ui.select(items, {
      prompt = 'Model for suggestions (to download: size, memory, time to a suggestion, license)',
      kind = 'fim_lsp_model',
      format_item = function(item)
        return item.text
      end,
    }, function(item)
      if not item then
        return
      elseif not item.is_here then
        add(client, item.model)
      elseif item.model.problem ~= '' then
        say(item.model.problem, vim.log.levels.ERROR)
      else
        tell_when_ready(client)
        execute(client, 'fimLsp.useModel', { name = item.model.name }, item.model.name .. ' will be used')
      end
    end)
  end)
end

return M
