/** Registers the commands of the extension. */

import * as vscode from 'vscode';
import { isEnabled, readLanguages, updateSetting } from './configuration.ts';
import type { ExplanationDocument } from './explanation_document.ts';
import type { ServerInstaller } from './install_server.ts';
import { showMenu } from './menu.ts';
import type { ModelPicker } from './model_picker.ts';
import type { Server } from './server.ts';
import { withLanguageToggled } from './settings.ts';
import { SCHEMES } from './status.ts';
import type { StatusBar } from './status_bar.ts';

const SNOOZE_MS = 5 * 60_000;
const HINT_MS = 5_000;

/** Parts of the extension that the commands act on. */
export interface CommandTargets {
  readonly context: vscode.ExtensionContext;
  readonly output: vscode.LogOutputChannel;
  readonly status: StatusBar;
  readonly server: Server;
  readonly installer: ServerInstaller;
  readonly models: ModelPicker;
  readonly explanation: ExplanationDocument;
}

export function registerCommands(targets: CommandTargets): vscode.Disposable[] {
  const { context, output, status, server, installer, models } = targets;
  const titles = titlesOf(context.extension);
  const commands: Record<string, () => unknown> = {
    'fimLsp.restart': () => server.start(),
    'fimLsp.showOutput': () => { output.show(); },
    'fimLsp.toggle': () => updateSetting('enabled', !isEnabled()),
    'fimLsp.toggleLanguage': toggleLanguage,
    'fimLsp.trigger': () => trigger(status),
    'fimLsp.explain': () => explain(targets),
    'fimLsp.selectModel': () => models.run(),
    'fimLsp.snooze': () => snooze(status),
    'fimLsp.install': () => installer.run(),
    'fimLsp.showMenu': () => showMenu(status, titles),
  };
  return Object.entries(commands).map(([name, run]) => vscode.commands.registerCommand(name, run));
}

function titlesOf(extension: vscode.Extension<unknown>): ReadonlyMap<string, string> {
  const { contributes } = extension.packageJSON as { contributes: { commands: { command: string; title: string }[] } };
  return new Map(contributes.commands.map(({ command, title }) => [command, title]));
}

async function toggleLanguage(): Promise<void> {
  const id = vscode.window.activeTextEditor?.document.languageId;
  if (id === undefined) {
    void vscode.window.showInformationMessage('FIM LSP: no file is open. Open one; its language is then toggled.');
    return;
  }
  await updateSetting('languages', withLanguageToggled(readLanguages(), id));
}

async function trigger(status: StatusBar): Promise<void> {
  if (status.offReason !== undefined) vscode.window.setStatusBarMessage(`FIM LSP: ${status.offReason}`, HINT_MS);
  await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
}

async function snooze(status: StatusBar): Promise<void> {
  status.snooze(SNOOZE_MS);
  await vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
}

/** Explains the requests of the active document, or of all documents if no file is active. */
async function explain({ server, output, explanation }: CommandTargets): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri;
  const markdown = await server.explain(SCHEMES.some((scheme) => scheme === uri?.scheme) ? uri : undefined);
  if (markdown !== undefined) {
    await explanation.show(markdown);
    return;
  }
  const choice = await vscode.window.showInformationMessage(
    'FIM LSP: the server is not running, so it explains nothing. Restart it, or see in the output why it stopped.',
    'Restart', 'Show Output',
  );
  if (choice === 'Restart') await server.start();
  if (choice === 'Show Output') output.show();
}
