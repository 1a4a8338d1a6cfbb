/** Wires the parts of the extension; everything that concerns completions is decided by the server. */

import * as vscode from 'vscode';
import { registerCommands } from './commands.ts';
import { readClientSettings, SECTION } from './configuration.ts';
import { ExplanationDocument } from './explanation_document.ts';
import { createMiddleware } from './inline_completion.ts';
import { ServerInstaller } from './install_server.ts';
import { ModelPicker } from './model_picker.ts';
import { PythonLocator } from './python_locator.ts';
import { Remedies } from './remedies.ts';
import { Server } from './server.ts';
import { StatusBar } from './status_bar.ts';

const WALKTHROUGH_SHOWN = 'walkthroughShown';
/** Settings that choose how the server is started. */
const LAUNCH_SETTINGS = ['interpreter', 'command', 'address'].map((key) => `${SECTION}.${key}`);

let activeServer: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const output = vscode.window.createOutputChannel('FIM LSP', { log: true });
  const status = new StatusBar();
  const locator = new PythonLocator(context, output);
  const server = activeServer = new Server(locator, output, createMiddleware(status));
  const installer = new ServerInstaller(context, locator, server, output);
  const remedies = new Remedies(locator, server, installer, output);
  const models = new ModelPicker(context.globalState, locator, server, remedies, output);
  const explanation = new ExplanationDocument();

  context.subscriptions.push(
    output,
    status,
    explanation,
    server.onDidChangeState((state) => { status.show(state); }),
    server.onDidChangeDocument((document) => { status.showDocument(document); }),
    server.onDidFail((failure) => void remedies.offer(failure)),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.start()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (LAUNCH_SETTINGS.some((setting) => change.affectsConfiguration(setting))) void server.start();
    }),
    ...registerCommands({ context, output, status, server, installer, models, explanation }),
  );
  const { version } = context.extension.packageJSON as { version: string };
  output.info(`fim-lsp ${version} in ${vscode.env.appName} ${vscode.version}`);
  void server.start();
  void locator.onDidChangeEnvironment(() => {
    const { interpreter, command, address } = readClientSettings();
    if (interpreter === '' && command.length === 0 && address === '') void server.start();
  });
  void showWalkthroughOnce(context);
}

export async function deactivate(): Promise<void> {
  await activeServer?.stop();
}

async function showWalkthroughOnce(context: vscode.ExtensionContext): Promise<void> {
  const walkthroughs = vscode.workspace.getConfiguration('workbench.welcomePage.walkthroughs');
  if (walkthroughs.get('openOnInstall') === false || context.globalState.get(WALKTHROUGH_SHOWN) === true) return;
  await context.globalState.update(WALKTHROUGH_SHOWN, true);
  await vscode.commands.executeCommand('workbench.action.openWalkthrough', `${context.extension.id}#start`, false);
}
