(require 'lsp-mode)
(require 'lsp-inline-completion)
(setq lsp-inline-completion-enable t
      lsp-inline-completion-idle-delay 0.2)
(defvar fim-lsp-state "" "What the server says of itself: ready, busy, ...")
(lsp-register-client
 (make-lsp-client
  :server-id 'fim-lsp
  :new-connection (lsp-stdio-connection '("FIM_LSP_COMMAND"))
  :activation-fn (lambda (&rest _) (derived-mode-p 'prog-mode))
  :add-on? t
  :initialization-options '(:eagerness 0.5)
  :notification-handlers
  (lsp-ht ("fimLsp/status"
           (lambda (_workspace status)
             (setq fim-lsp-state (lsp-get status :state)))))))
(keymap-set lsp-inline-completion-active-map "TAB" #'lsp-inline-completion-accept)
(add-hook 'prog-mode-hook #'lsp-deferred)
