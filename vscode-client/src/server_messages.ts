/** Shows the messages and questions of the server: errors with a next step, offers when the user works on a file. */

import * as vscode from 'vscode';
import {
  MessageType, ShowMessageNotification, ShowMessageRequest,
  type LanguageClient, type MessageActionItem, type ShowMessageParams,
} from 'vscode-languageclient/node';
import { actions, type Action } from './action.ts';
import { SCHEMES } from './status.ts';

/** Returns the buttons that a message of the server gets, beside its own. */
function nextSteps(type: MessageType): readonly Action[] {
  switch (type) {
    case MessageType.Error: return [actions.selectModel(), actions.showOutput()];
    // A model that is not there, or a setting with a wrong value.
    case MessageType.Warning: return [actions.selectModel(), actions.openSettings()];
    default: return [];
  }
}

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
  { type, message }: ShowMessageParams, offered: MessageActionItem[],
): Promise<MessageActionItem | null> {
  const showIn = type === MessageType.Error || type === MessageType.Warning ? SHOW[type] : SHOW[MessageType.Info];
  const steps = new Map<MessageActionItem, Action>(nextSteps(type).map((step) => [{ title: step.title }, step]));
  const choice = await showIn<MessageActionItem>(message, ...offered, ...steps.keys());
  const step = choice && steps.get(choice);
  if (step !== undefined) await vscode.commands.executeCommand(step.command, ...step.arguments ?? []);
  return choice === undefined || step !== undefined ? null : choice;
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
