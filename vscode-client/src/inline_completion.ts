/** Stands between VS Code and the language client for `textDocument/inlineCompletion`. */

import type { Middleware } from 'vscode-languageclient/node';
import type { StatusBar } from './status_bar.ts';

/** Makes the middleware that asks for nothing while suggestions are snoozed. */
export function createMiddleware(status: StatusBar): Middleware {
  return {
    provideInlineCompletionItems: (document, position, context, token, next) =>
      status.isSnoozed ? undefined : next(document, position, context, token),
  };
}
