/** Shows the menu of the status bar's item. */

import * as vscode from 'vscode';
import type { StatusBar } from './status_bar.ts';

interface MenuItem extends vscode.QuickPickItem {
  /** Command to run; undefined ends the snooze. */
  readonly command: string | undefined;
}

/** Lets the user choose a command; the title names the model and its languages. */
export async function showMenu(status: StatusBar): Promise<void> {
  const snooze: MenuItem = status.isSnoozed
    ? { label: '$(bell) Wake Up', command: undefined }
    : { label: '$(bell-slash) Snooze for 5 Minutes', command: 'fimLsp.snooze' };
  const items: MenuItem[] = [
    { label: '$(power) Toggle', command: 'fimLsp.toggle' },
    { label: '$(file-code) Toggle for This Language', command: 'fimLsp.toggleLanguage' },
    { label: '$(question) Explain Last Suggestion', command: 'fimLsp.explain' },
    { label: '$(list-selection) Select Model', command: 'fimLsp.selectModel' },
    snooze,
    { label: '$(debug-restart) Restart Server', command: 'fimLsp.restart' },
    { label: '$(output) Show Output', command: 'fimLsp.showOutput' },
  ];
  const choice = await vscode.window.showQuickPick(items, {
    title: ['FIM LSP', ...status.model].join(' · '),
    placeHolder: status.offReason ?? 'Choose a command',
  });
  if (choice === undefined) return;
  if (choice.command === undefined) status.snooze(0);
  else await vscode.commands.executeCommand(choice.command);
}
