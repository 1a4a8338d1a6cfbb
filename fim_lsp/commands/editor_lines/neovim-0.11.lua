vim.lsp.config('fim_lsp', {
  cmd = { 'FIM_LSP_COMMAND' },
  root_markers = { '.git' },
  init_options = { completionFallback = true },
})
vim.lsp.enable('fim_lsp')
vim.o.completeopt = 'menuone,noselect,popup'
vim.api.nvim_create_autocmd('LspAttach', {
  callback = function(event)
    vim.lsp.completion.enable(true, event.data.client_id, event.buf, { autotrigger = true })
  end,
})
