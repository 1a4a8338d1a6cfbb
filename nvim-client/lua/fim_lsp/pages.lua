--- Writes the plugin's own pages in Markdown; the server writes that of `:FimLsp explain`.

local M = {}

local STATES = {
  starting = 'The model is being loaded',
  ready = 'Ready',
  busy = 'At work',
  error = 'Something is wrong',
  disabled = 'Suggestions are off',
}
local DAYS = 14

---@param status fim_lsp.Status
---@return string # The state, and the model with its engine.
local function heading(status)
  local text = ('**%s**'):format(STATES[status.state] or status.state)
  if status.model ~= '' then
    text = text .. ': ' .. status.model .. (status.engine ~= '' and ' on ' .. status.engine or '')
  end
  return text .. (status.message ~= '' and '; ' .. status.message or '')
end

--- Returns the page of `:FimLsp`.
---@param status? fim_lsp.Status Nil where the server does not serve the buffer.
---@param bufnr integer
---@param is_starting boolean Whether the server of the buffer was started and has not said anything yet.
---@return string
function M.status(status, bufnr, is_starting)
  local lines = { '# fim-lsp', '' }
  if status then
    table.insert(lines, heading(status))
    table.insert(lines, '')
    for _, fact in ipairs(require('fim_lsp.status').facts(status, bufnr)) do
      table.insert(lines, '- ' .. fact)
    end
  elseif is_starting then
    table.insert(lines, '**The server is starting**')
  else
    table.insert(lines, '**The server does not serve this buffer**; `:checkhealth fim_lsp` looks for the reason')
  end
  vim.list_extend(lines, { '', '## Commands', '' })
  for _, command in ipairs(require('fim_lsp.commands').ALL) do
    table.insert(lines, ('- `:FimLsp %s`: %s'):format(command.name, command.does))
  end
  return table.concat(lines, '\n')
end

---@class fim_lsp.Day
---@field day string
---@field keys integer
---@field accepted integer

--- Returns the page of `:FimLsp stats`.
---@param stats { days: fim_lsp.Day[], isCounting: boolean }
---@return string
function M.stats(stats)
  local lines = { '# Keys saved', '' }
  local keys, accepted = 0, 0
  for _, day in ipairs(stats.days) do
    keys, accepted = keys + day.keys, accepted + day.accepted
  end
  if #stats.days > 0 then
    local total = '**%d keys** saved with %d accepted suggestions since %s'
    vim.list_extend(lines, { total:format(keys, accepted, stats.days[1].day), '' })
  else
    vim.list_extend(lines, { 'Nothing has been counted yet: accept a suggestion, then look again.', '' })
  end
  for index = #stats.days, math.max(1, #stats.days - DAYS + 1), -1 do
    local day = stats.days[index]
    table.insert(lines, ('- %s: %d keys, %d suggestions'):format(day.day, day.keys, day.accepted))
  end
  local ends = stats.isCounting and 'Counted on this machine, and sent nowhere; `fim-lsp stats` has more.'
    or 'Nothing is counted: the setting `fimLsp.learnFromUse` is off.'
  vim.list_extend(lines, { '', ends })
  return table.concat(lines, '\n')
end

return M
