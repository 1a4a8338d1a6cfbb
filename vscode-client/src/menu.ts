/** Shows the menu of the status bar's item. */

import * as vscode from 'vscode';
import type { StatusBar } from './status_bar.ts';

/** Commands that help where something is wrong; they stand first then. */
const REMEDIES = ['fimLsp.restart', 'fimLsp.selectModel', 'fimLsp.showOutput'];

/** Icons of the menu's entries, by command. */
const ENTRIES: Readonly<Record<string, string>> = {
  'fimLsp.toggle': 'circle-slash',
  'fimLsp.toggleLanguage': 'file-code',
  'fimLsp.explain': 'question',
  'fimLsp.selectModel': 'list-selection',
  'fimLsp.snooze': 'bell-slash',
  'fimLsp.restart': 'debug-restart',
  'fimLsp.showOutput': 'output',
};

interface MenuItem extends vscode.QuickPickItem {
  readonly run: () => unknown;
}

/**
 * Lets the user choose a command, under the model's name and languages.
 *
 * @param titles the titles of the commands, as in the command palette.
 */
export async function showMenu(status: StatusBar, titles: ReadonlyMap<string, string>): Promise<void> {
  const first = status.problem === undefined ? [] : REMEDIES;
  const commands = new Set([...first, ...Object.keys(ENTRIES)]);
  const items = [...commands].map((command): MenuItem => {
    if (command === 'fimLsp.snooze' && status.isSnoozed) {
      return { label: '$(bell) End Snooze', run: () => { status.snooze(0); } };
    }
    const label = `$(${ENTRIES[command] ?? 'gear'}) ${titles.get(command) ?? command}`;
    return { label, run: () => vscode.commands.executeCommand(command) };
  });
  const [model, languages] = status.model;
  const choice = await vscode.window.showQuickPick(items, {
    title: model === undefined ? 'FIM LSP' : `FIM LSP: ${model}`,
    placeHolder: status.problem ?? status.adding ?? status.offReason ?? languages ?? 'Choose a command',
  });
  await choice?.run();
}
