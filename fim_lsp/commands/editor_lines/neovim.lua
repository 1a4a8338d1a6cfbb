vim.lsp.config('fim_lsp', { cmd = { 'FIM_LSP_COMMAND' }, root_markers = { '.git' } })
vim.lsp.enable('fim_lsp')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Tab>', function()
  if not vim.lsp.inline_completion.get() then return '<Tab>' end
end, { expr = true })
