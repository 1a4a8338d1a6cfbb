---@brief
---
--- https://github.com/fim-lsp/fim-lsp
---
--- Inline completion by a small fill-in-the-middle model on this machine: offline, no account.
--- Install the server from a clone of it with `pipx install .`, then, in Neovim 0.12 or later:
---
--- ```lua
--- vim.lsp.enable('fim_lsp')
--- vim.lsp.inline_completion.enable()
--- ```
---
--- Settings go under `settings.fimLsp`; they are listed in
--- https://github.com/fim-lsp/fim-lsp/blob/main/docs/settings.md.

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
  -- Asks for `fimLsp/documentState`, which the statusline shows.
  capabilities = { experimental = { fimLsp = { documentState = true } } },
  root_markers = { { '.git', '.hg', '.jj' } },
  on_exit = function(code)
    if code ~= 0 and vim.v.exiting == vim.NIL then
      vim.schedule(function()
        vim.notify(
          ('fim_lsp: the server ended with code %d; :checkhealth fim_lsp looks for the reason'):format(code),
          vim.log.levels.ERROR
        )
      end)
    end
  end,
}
