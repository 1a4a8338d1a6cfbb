/** Configures VS Code's language client: which documents and settings the server gets, who shows what it says. */

import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  WorkDoneProgressCancelNotification,
  type LanguageClientOptions,
  type Middleware,
  type StaticFeature,
} from 'vscode-languageclient/node';
import { SECTION } from './configuration.ts';
import { showMessagesOf } from './server_messages.ts';
import type { Connection } from './server_process.ts';
import { ServerProgress } from './server_progress.ts';
import { changeForServer, settingsForServer } from './settings.ts';
import { SCHEMES } from './status.ts';

/** Makes a client for a connection; it neither restarts the server nor shows errors, which is the work of `Server`. */
export function createClient(
  { reader, writer }: Connection, output: vscode.LogOutputChannel, middleware: Middleware,
): LanguageClient {
  const progress = new ServerProgress((token) => {
    void client.sendNotification(WorkDoneProgressCancelNotification.type, { token });
  });
  const client = new QuietClient(SECTION, 'FIM LSP', () => Promise.resolve({ reader, writer }), {
    ...OPTIONS,
    outputChannel: output,
    initializationOptions: settingsForServer(vscode.workspace.getConfiguration(SECTION), vscode.workspace.isTrusted),
    middleware: {
      ...middleware,
      ...RESTRICTED_MODE,
      handleWorkDoneProgress: (token, params, next) => {
        if (!progress.show(token, params)) next(token, params);
      },
    },
  });
  client.onDidChangeState(({ newState }) => { if (newState === State.Stopped) progress.clear(); });
  showMessagesOf(client);
  client.registerFeature(DOCUMENT_STATE);
  return client;
}

/** Writes its errors to the output only, because `Server` tells the user about them once. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

const OPTIONS: LanguageClientOptions = {
  documentSelector: SCHEMES.map((scheme) => ({ scheme })),
  revealOutputChannelOn: RevealOutputChannelOn.Never,
  // The server takes settings that are pushed, and VS Code pushes them when they change.
  synchronize: { configurationSection: SECTION },
  initializationFailedHandler: () => false,
  errorHandler: {
    error: () => ({ action: ErrorAction.Continue, handled: true }),
    closed: () => ({ action: CloseAction.DoNotRestart, handled: true, message: '' }),
  },
};

/** Asks the server for `fimLsp/documentState`, which it sends only to clients that name it. */
const DOCUMENT_STATE: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...capabilities.experimental as object, fimLsp: { documentState: true } };
  },
  initialize: () => undefined,
  getState: () => ({ kind: 'static' }),
  clear: () => undefined,
};

/** Applies `settingsForServer`, whichever way settings reach the server. */
const RESTRICTED_MODE: Middleware = {
  sendNotification: (type, next, params) => {
    const method = typeof type === 'string' ? type : type.method;
    const isChange = method === 'workspace/didChangeConfiguration';
    return next(type, isChange ? changeForServer(params, vscode.workspace.isTrusted) as typeof params : params);
  },
  workspace: {
    configuration: async (params, token, next) => {
      const answer: unknown = await next(params, token);
      if (!Array.isArray(answer)) return [];
      return answer.map((settings: unknown, index) => {
        const isOurs = params.items[index]?.section === SECTION && typeof settings === 'object' && settings !== null;
        return isOurs ? settingsForServer(settings, vscode.workspace.isTrusted) : settings;
      });
    },
  },
};
