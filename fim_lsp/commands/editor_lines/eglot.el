(require 'eglot)
(add-to-list 'eglot-server-programs
             '(prog-mode . ("FIM_LSP_COMMAND" :initializationOptions (:completionFallback t))))
(add-hook 'prog-mode-hook #'eglot-ensure)
