/** Installs the bundled server into the private environment, with progress, starts it, and says what to do next. */

import { dirname } from 'node:path';
import * as vscode from 'vscode';
import { install, removeOlder } from './installation.ts';
import { t } from './l10n.ts';
import type { PythonLocator } from './python_locator.ts';
import type { Server } from './server.ts';

const READY_TIMEOUT_MS = 120_000;

export class ServerInstaller {
  private readonly context: vscode.ExtensionContext;
  private readonly locator: PythonLocator;
  private readonly server: Server;
  private readonly output: vscode.LogOutputChannel;

  constructor(
    context: vscode.ExtensionContext, locator: PythonLocator, server: Server, output: vscode.LogOutputChannel,
  ) {
    this.context = context;
    this.locator = locator;
    this.server = server;
    this.output = output;
  }

  /** Makes the private environment anew and starts the server in it; tells the user if that fails. */
  async run(): Promise<void> {
    const found = await this.locator.find();
    const base = found.kind === 'found' ? found.candidate.path : found.base;
    if (base === undefined) {
      void vscode.window.showErrorMessage(`FIM LSP: ${found.kind === 'not found' ? found.message : ''}`);
      return;
    }
    await this.server.stop(t('installing the server'));
    let isInstalled = false;
    try {
      await this.installWithProgress(base);
      isInstalled = true;
    } catch (error) {
      if (error instanceof Error && error.name !== 'AbortError') {
        this.server.setFailed(error.message);
        if (found.kind === 'found') await this.server.start();  // it ran without the private environment before
        await this.offerRetry(error.message);
        return;
      }
    }
    await this.server.start();
    if (isInstalled && await this.server.untilReady(READY_TIMEOUT_MS)) await offerFirstTry();
  }

  private async installWithProgress(base: string): Promise<void> {
    const options = { location: vscode.ProgressLocation.Notification, title: 'FIM LSP', cancellable: true };
    await vscode.window.withProgress(options, async (progress, token) => {
      const aborted = new AbortController();
      token.onCancellationRequested(() => { aborted.abort(); });
      await install({
        base,
        environment: this.locator.privateEnvironment,
        wheels: vscode.Uri.joinPath(this.context.extensionUri, 'wheels').fsPath,
        report: (message) => { progress.report({ message }); },
        log: (line) => { this.output.info(`install: ${line}`); },
        signal: aborted.signal,
      });
    });
    const folder = dirname(this.locator.privateEnvironment);
    this.output.info(`installed into ${folder}`);
    try {
      removeOlder(this.locator.privateEnvironment);
    } catch (error) {
      this.output.warn(`tidying up in ${folder}: ${String(error)}`);
    }
  }

  private async offerRetry(message: string): Promise<void> {
    const [showOutput, tryAgain] = [t('Show Output'), t('Try Again')];
    const choice = await vscode.window.showErrorMessage(`FIM LSP: ${message}`, showOutput, tryAgain);
    if (choice === tryAgain) await this.run();
    if (choice === showOutput) this.output.show();
  }
}

/** Says that all is ready, and offers a place to try it. */
async function offerFirstTry(): Promise<void> {
  const tryIt = t('Try It');
  const choice = await vscode.window.showInformationMessage(
    t('FIM LSP is ready. Open a file and type; Tab accepts what appears.'), tryIt,
  );
  if (choice === tryIt) await vscode.commands.executeCommand('fimLsp.tryIt');
}
