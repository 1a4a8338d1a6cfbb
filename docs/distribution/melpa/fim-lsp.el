;;; fim-lsp.el --- Local code completion, offline -*- lexical-binding: t; -*-

;; Author: the authors of fim-lsp
;; URL: https://github.com/fim-lsp/fim-lsp
;; Version: 0.1.0
;; Package-Requires: ((emacs "29.1") (lsp-mode "10.0.0"))
;; Keywords: convenience, languages, tools
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; Shows what a fill-in-the-middle model on this machine would write at point, as ghost text.
;; Install the server with "uv tool install fim-lsp" or "pipx install fim-lsp"; then:
;;
;;     (use-package fim-lsp
;;       :hook (prog-mode . fim-lsp-mode))
;;
;; TAB takes what is shown.  The server runs beside the one of the language.

;;; Code:

(require 'lsp-mode)
(require 'lsp-inline-completion)

(defgroup fim-lsp nil
  "Local code completion by a fill-in-the-middle model."
  :group 'lsp-mode
  :link '(url-link "https://github.com/fim-lsp/fim-lsp"))

(defcustom fim-lsp-command '("fim-lsp")
  "Program of the server and its arguments."
  :type '(repeat string))

(defcustom fim-lsp-settings '(:eagerness 0.5)
  "Settings of the server, as a property list; docs/settings.md names them."
  :type 'plist)

(defcustom fim-lsp-idle-delay 0.2
  "Seconds without a key after which a suggestion is asked for."
  :type 'number)

(defvar fim-lsp-state ""
  "What the server says of itself: ready, busy and others.")

(defun fim-lsp--on-status (_workspace status)
  "Note the state in STATUS, a notification of the server."
  (setq fim-lsp-state (lsp-get status :state)))

(lsp-register-client
 (make-lsp-client
  :server-id 'fim-lsp
  :new-connection (lsp-stdio-connection (lambda () fim-lsp-command))
  :activation-fn (lambda (&rest _) (bound-and-true-p fim-lsp-mode))
  :add-on? t
  :initialization-options (lambda () fim-lsp-settings)
  :notification-handlers (lsp-ht ("fimLsp/status" #'fim-lsp--on-status))))

;;;###autoload
(define-minor-mode fim-lsp-mode
  "Show what the model would write at point; TAB takes it."
  :lighter nil
  (when fim-lsp-mode
    (setq-local lsp-inline-completion-enable t
                lsp-inline-completion-idle-delay fim-lsp-idle-delay)
    (keymap-set lsp-inline-completion-active-map "TAB" #'lsp-inline-completion-accept)
    (lsp-deferred)))

(provide 'fim-lsp)
;;; fim-lsp.el ends here
