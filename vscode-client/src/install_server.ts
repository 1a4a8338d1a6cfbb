/** Installs the bundled server into the private environment, with progress, and starts it. */

import { dirname } from 'node:path';
import * as vscode from 'vscode';
import { install } from './installation.ts';
import type { PythonLocator } from './python_locator.ts';
import type { Server } from './server.ts';

const TRY_AGAIN = 'Try Again';
const SHOW_OUTPUT = 'Show Output';

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
    await this.server.stop('installing the server');
    try {
      await this.installWithProgress(base);
    } catch (error) {
      if (error instanceof Error && error.name !== 'AbortError') {
        this.server.setFailed(error.message);
        if (found.kind === 'found') await this.server.start();  // it ran without the private environment before
        await this.offerRetry(error.message);
        return;
      }
    }
    await this.server.start();
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
    this.output.info(`installed into ${dirname(this.locator.privateEnvironment)}`);
  }

  private async offerRetry(message: string): Promise<void> {
    const choice = await vscode.window.showErrorMessage(`FIM LSP: ${message}`, SHOW_OUTPUT, TRY_AGAIN);
    if (choice === TRY_AGAIN) await this.run();
    if (choice === SHOW_OUTPUT) this.output.show();
  }
}
