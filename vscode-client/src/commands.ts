/** Registers the commands of the extension. */

import * as vscode from 'vscode';
import { isEnabled, readLanguages, updateSetting } from './configuration.ts';
import type { ExplanationDocument } from './explanation_document.ts';
import { tryIt } from './first_try.ts';
import type { ServerInstaller } from './install_server.ts';
import type { KeyHint } from './key_hint.ts';
import { t } from './l10n.ts';
import { showMenu } from './menu.ts';
import type { ModelPicker } from './model_picker.ts';
import type { Server } from './server.ts';
import { withLanguageToggled } from './settings.ts';
import { SCHEMES } from './status.ts';
import type { StatusBar } from './status_bar.ts';
import type { UsagePanel } from './usage_panel.ts';
import type { WhyLens } from './why_lens.ts';
import { whyNothing } from './why_nothing.ts';

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
  readonly usage: UsagePanel;
  readonly why: WhyLens;
  readonly keyHint: KeyHint;
}

export function registerCommands(targets: CommandTargets): vscode.Disposable[] {
  const { context, output, status, server, installer, models, usage, why, keyHint } = targets;
  const commands: Record<string, (argument?: unknown) => unknown> = {
    'fimLsp.restart': () => server.start(),
    'fimLsp.showOutput': () => { output.show(); },
    'fimLsp.toggle': () => updateSetting('enabled', !isEnabled()),
    'fimLsp.toggleLanguage': toggleLanguage,
    'fimLsp.trigger': () => trigger(status),
    'fimLsp.explain': () => explain(targets),
    'fimLsp.selectModel': () => models.run(),
    'fimLsp.whyNothing': () => whyNothing(server, status, why),
    'fimLsp.setEagerness': (eagerness) => updateSetting('eagerness', eagerness),
    'fimLsp.showUsage': () => usage.show(),
    'fimLsp.tryIt': () => tryIt(context.extensionUri),
    'fimLsp.openWalkthrough': () => openWalkthrough(context),
    'fimLsp.snooze': () => snooze(status, keyHint),
    'fimLsp.endSnooze': () => { status.snooze(0); },
    'fimLsp.install': () => installer.run(),
    'fimLsp.showMenu': () => showMenu(status),
  };
  return Object.entries(commands).map(([name, run]) => vscode.commands.registerCommand(name, run));
}

async function toggleLanguage(): Promise<void> {
  const id = vscode.window.activeTextEditor?.document.languageId;
  if (id === undefined) {
    void vscode.window.showInformationMessage(t('FIM LSP: no file is open. Open one; its language is then toggled.'));
    return;
  }
  await updateSetting('languages', withLanguageToggled(readLanguages(), id));
}

async function trigger(status: StatusBar): Promise<void> {
  const off = status.offReason;
  if (off !== undefined) vscode.window.setStatusBarMessage(`FIM LSP: ${off.long}`, HINT_MS);
  await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
}

/** Opens the walkthrough of the extension. */
export async function openWalkthrough(context: vscode.ExtensionContext): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.openWalkthrough', `${context.extension.id}#start`, false);
}

async function snooze(status: StatusBar, keyHint: KeyHint): Promise<void> {
  keyHint.hide();
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
  const [restart, showOutput] = [t('Restart'), t('Show Output')];
  const choice = await vscode.window.showInformationMessage(
    t('FIM LSP: the server is not running, so it explains nothing. Restart it, or see in the output why it stopped.'),
    restart, showOutput,
  );
  if (choice === restart) await server.start();
  if (choice === showOutput) output.show();
}
