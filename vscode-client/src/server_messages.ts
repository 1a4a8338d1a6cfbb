/** Shows the messages and questions of the server: errors with a next step, offers when the user works on a file. */

import * as vscode from 'vscode';
import {
  MessageType, ShowMessageNotification, ShowMessageRequest,
  type LanguageClient, type MessageActionItem, type ShowMessageParams,
} from 'vscode-languageclient/node';
import { SCHEMES } from './status.ts';

/** Buttons that each error of the server gets, with the commands that they run. */
const NEXT_STEPS = new Map([
  [{ title: 'Select Model' }, 'fimLsp.selectModel'],
  [{ title: 'Show Output' }, 'fimLsp.showOutput'],
]);

const SHOW = {
  [MessageType.Error]: vscode.window.showErrorMessage,
  [MessageType.Warning]: vscode.window.showWarningMessage,
  [MessageType.Info]: vscode.window.showInformationMessage,
};

/** Has the messages of a client's server shown here; call before the client starts. */
export function showMessagesOf(client: LanguageClient): void {
  client.onNotification(ShowMessageNotification.type, (params) => { void show(params, []); });
  client.onRequest(ShowMessageRequest.type, async (params, token) => {
    // An error answers to what the user did; anything else can wait.
    if (params.type !== MessageType.Error) await untilWorking(token);
    return token.isCancellationRequested || !client.isRunning() ? null : show(params, params.actions ?? []);
  });
}

/** Shows a message; returns the action that the user chose, if it is one of the server's. */
async function show(
  { type, message }: ShowMessageParams, actions: MessageActionItem[],
): Promise<MessageActionItem | null> {
  const showIn = type === MessageType.Error || type === MessageType.Warning ? SHOW[type] : SHOW[MessageType.Info];
  const ours = type === MessageType.Error ? [...NEXT_STEPS.keys()] : [];
  const choice = await showIn(message, ...actions, ...ours);
  const command = choice && NEXT_STEPS.get(choice);
  if (command !== undefined) await vscode.commands.executeCommand(command);
  return choice === undefined || command !== undefined ? null : choice;
}

/**
 * Waits until the user works on a file in this window.
 *
 * Thus of several windows one asks, and none beside the walkthrough.
 */
async function untilWorking(token: vscode.CancellationToken): Promise<void> {
  const subscriptions: vscode.Disposable[] = [];
  await new Promise<void>((resolve) => {
    const look = (): void => { if (isWorking() || token.isCancellationRequested) resolve(); };
    subscriptions.push(
      vscode.window.onDidChangeWindowState(look),
      vscode.window.onDidChangeActiveTextEditor(look),
      token.onCancellationRequested(look),
    );
    look();
  });
  vscode.Disposable.from(...subscriptions).dispose();
}

function isWorking(): boolean {
  const scheme = vscode.window.activeTextEditor?.document.uri.scheme;
  return vscode.window.state.focused && SCHEMES.some((known) => known === scheme);
}
