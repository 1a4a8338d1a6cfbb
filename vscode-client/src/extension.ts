/** Wires the parts of the extension; everything that concerns completions is decided by the server. */

import * as vscode from 'vscode';
import { openWalkthrough, registerCommands } from './commands.ts';
import { readClientSettings, SECTION } from './configuration.ts';
import { ExplanationDocument } from './explanation_document.ts';
import { createMiddleware } from './inline_completion.ts';
import { ServerInstaller } from './install_server.ts';
import { KeyHint } from './key_hint.ts';
import { useTranslations } from './l10n.ts';
import { ModelPicker } from './model_picker.ts';
import { PythonLocator } from './python_locator.ts';
import { Remedies } from './remedies.ts';
import { Server } from './server.ts';
import { StatusBar } from './status_bar.ts';
import { UsagePanel } from './usage_panel.ts';
import { WhyLens } from './why_lens.ts';

const WALKTHROUGH_SHOWN = 'walkthroughShown';
/** Settings that choose how the server is started. */
const LAUNCH_SETTINGS = ['interpreter', 'command', 'address'].map((key) => `${SECTION}.${key}`);

let activeServer: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  useTranslations((message, ...values) => vscode.l10n.t(message, ...values));
  const output = vscode.window.createOutputChannel('FIM LSP', { log: true });
  const status = new StatusBar();
  const keyHint = new KeyHint(context.globalState);
  const locator = new PythonLocator(context, output);
  const server = activeServer = new Server(locator, output, createMiddleware({
    get isSnoozed() { return status.isSnoozed; },
    showAnswer: (answer, document, position) => {
      status.showAnswer(answer);
      if (answer.isSuggestion) keyHint.show(document, position);
    },
    accepted: () => {
      void keyHint.accepted();
      void usage.refresh();
    },
  }));
  const installer = new ServerInstaller(context, locator, server, output);
  const remedies = new Remedies(locator, server, installer, output);
  const models = new ModelPicker(context.globalState, locator, server, remedies, output);
  const explanation = new ExplanationDocument();
  const usage = new UsagePanel(server, status);
  const why = new WhyLens();

  context.subscriptions.push(
    output,
    status,
    explanation,
    keyHint,
    usage,
    why,
    server.onDidChangeState((state) => { status.show(state); }),
    server.onDidChangeDocument((document) => { status.showDocument(document); }),
    server.onDidFail((failure) => void remedies.offer(failure)),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.start()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (LAUNCH_SETTINGS.some((setting) => change.affectsConfiguration(setting))) void server.start();
    }),
    ...registerCommands({ context, output, status, server, installer, models, explanation, usage, why, keyHint }),
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
  await openWalkthrough(context);
}
