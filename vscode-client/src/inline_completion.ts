/** Stands between VS Code and the language client for `textDocument/inlineCompletion`. */

import type { TextDocument, Position } from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import type { LastAnswer } from './status.ts';

/** Name of the command that the server counts acceptances by. */
const ACCEPT = 'fimLsp.accept';

/** What is told of suggestions on their way to VS Code. */
export interface SuggestionListener {
  /** Whether the user wants none at present. */
  readonly isSnoozed: boolean;
  /** Takes an answer that was not overtaken by a key. */
  showAnswer(answer: LastAnswer, document: TextDocument, position: Position): void;
  /** Takes note that the user has accepted a suggestion. */
  accepted(): void;
}

/** Makes the middleware that asks for nothing while suggestions are snoozed, and takes the time of answers. */
export function createMiddleware(listener: SuggestionListener): Middleware {
  return {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      if (listener.isSnoozed) return undefined;
      const begun = performance.now();
      const answer = await next(document, position, context, token);
      if (!answer || token.isCancellationRequested) return answer;
      const items = Array.isArray(answer) ? answer : answer.items;
      const ms = performance.now() - begun;
      listener.showAnswer({ ms, isSuggestion: items.length > 0 }, document, position);
      return answer;
    },
    executeCommand: (command, args, next) => {
      if (command === ACCEPT) listener.accepted();
      return next(command, args) as unknown;
    },
  };
}
