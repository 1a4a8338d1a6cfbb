/** Shows failures with the buttons that mend them, and does what a button says. */

import * as vscode from 'vscode';
import { readClientSettings, SECTION } from './configuration.ts';
import type { Failure, Remedy } from './failure.ts';
import type { ServerInstaller } from './install_server.ts';
import { t } from './l10n.ts';
import type { PythonLocator } from './python_locator.ts';
import type { Server } from './server.ts';
import { serveOptions } from './settings.ts';

const TITLES: Record<Remedy, () => string> = {
  install: () => t('Install'),
  output: () => t('Show Output'),
  restart: () => t('Restart'),
  settings: () => t('Open Settings'),
  serve: () => t('Start It in a Terminal'),
};

export class Remedies {
  private readonly locator: PythonLocator;
  private readonly server: Server;
  private readonly installer: ServerInstaller;
  private readonly output: vscode.LogOutputChannel;

  constructor(
    locator: PythonLocator, server: Server, installer: ServerInstaller, output: vscode.LogOutputChannel,
  ) {
    this.locator = locator;
    this.server = server;
    this.installer = installer;
    this.output = output;
  }

  /** Shows a failure with its buttons, and does what the user chooses. */
  async offer(failure: Failure): Promise<void> {
    const titles = failure.remedies.map((remedy) => TITLES[remedy]());
    const { showErrorMessage, showInformationMessage } = vscode.window;
    const show = failure.isSetUpMissing ? showInformationMessage : showErrorMessage;
    const choice = await show(`FIM LSP: ${failure.message}`, ...titles);
    const remedy = failure.remedies.find((known) => TITLES[known]() === choice);
    if (remedy !== undefined) await this.apply(remedy);
  }

  private async apply(remedy: Remedy): Promise<void> {
    switch (remedy) {
      case 'install':
        return this.installer.run();
      case 'restart':
        return this.server.start();
      case 'serve':
        return this.serveInTerminal();
      case 'output':
        this.output.show();
        return;
      case 'settings':
        await vscode.commands.executeCommand('workbench.action.openSettings', `${SECTION}.interpreter`);
    }
  }

  /** Starts a shared server in a terminal, where the user sees it and can end it. */
  private async serveInTerminal(): Promise<void> {
    const found = await this.locator.find();
    if (found.kind === 'not found') {
      void vscode.window.showErrorMessage(`FIM LSP: ${found.message}`);
      return;
    }
    vscode.window.createTerminal({
      name: 'fim-lsp',
      shellPath: found.candidate.path,
      shellArgs: ['-m', 'fim_lsp', 'serve', ...serveOptions(readClientSettings().address)],
      cwd: this.locator.workingFolder,
    }).show(true);
    await this.server.startWhenListening();
  }
}
