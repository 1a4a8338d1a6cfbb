---@brief
---
--- https://github.com/fim-lsp/fim-lsp
---
--- Inline completion by a fill-in-the-middle model on this machine: offline, no account.
--- Install it with `uv tool install fim-lsp` or `pipx install fim-lsp`.
---
--- You need to enable `:help lsp-inline-completion` to receive suggestions. For example:
---
--- ```lua
--- vim.lsp.enable('fim_lsp')
--- vim.lsp.inline_completion.enable()
--- vim.keymap.set('i', '<Tab>', function()
---   if not vim.lsp.inline_completion.get() then
---     return '<Tab>'
---   end
--- end, { expr = true, desc = 'LSP: accept inline completion' })
--- ```
---
--- Settings go under `settings.fimLsp`:
--- https://github.com/fim-lsp/fim-lsp/blob/main/docs/settings.md

---@type vim.lsp.Config
return {
  cmd = { 'fim-lsp' },
  filetypes = {
    'bash',
    'c',
    'clojure',
    'cpp',
    'cs',
    'css',
    'dart',
    'elixir',
    'go',
    'haskell',
    'html',
    'java',
    'javascript',
    'javascriptreact',
    'julia',
    'kotlin',
    'lua',
    'nix',
    'ocaml',
    'perl',
    'php',
    'python',
    'r',
    'ruby',
    'rust',
    'scala',
    'sh',
    'sql',
    'swift',
    'typescript',
    'typescriptreact',
    'vim',
    'zig',
  },
  root_markers = { { '.git', '.hg', '.jj' } },
}
