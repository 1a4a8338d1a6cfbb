/** Shows the keys saved this week beside the editor, in a page without scripts and without the network. */

import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { actions, type Action } from './action.ts';
import { t } from './l10n.ts';
import type { Server } from './server.ts';
import type { StatusBar } from './status_bar.ts';
import { lastWeek } from './usage.ts';
import { usagePage } from './usage_page.ts';

const VIEW_TYPE = 'fimLsp.usage';
/** Commands that a link of the page may run. */
const COMMANDS = [
  'fimLsp.restart', 'fimLsp.install', 'fimLsp.showOutput', 'fimLsp.selectModel', 'fimLsp.trigger', 'fimLsp.toggle',
  'fimLsp.toggleLanguage', 'fimLsp.endSnooze', 'fimLsp.explain', 'workbench.action.openSettings',
];

export class UsagePanel implements vscode.Disposable {
  private readonly server: Server;
  private readonly status: StatusBar;
  private panel: vscode.WebviewPanel | undefined;

  constructor(server: Server, status: StatusBar) {
    this.server = server;
    this.status = status;
  }

  dispose(): void {
    this.panel?.dispose();
  }

  /** Opens the panel, or brings it to the front, with the counts of this moment. */
  async show(): Promise<void> {
    if (this.panel === undefined) {
      this.panel = vscode.window.createWebviewPanel(
        VIEW_TYPE, t('Keys Saved'), { viewColumn: vscode.ViewColumn.Active },
        { enableScripts: false, enableCommandUris: COMMANDS, localResourceRoots: [] },
      );
      this.panel.onDidDispose(() => { this.panel = undefined; });
      this.panel.onDidChangeViewState(({ webviewPanel }) => { if (webviewPanel.visible) void this.refresh(); });
    }
    this.panel.reveal();
    await this.refresh();
  }

  private isClosed(panel: vscode.WebviewPanel): boolean {
    return this.panel !== panel;
  }

  /** Writes the page anew, if it is seen. */
  async refresh(): Promise<void> {
    const { panel } = this;
    if (panel?.visible !== true) return;
    const usage = await this.server.usage();
    if (this.isClosed(panel)) return;
    const countAgain: Action[] = usage?.isCounting === false ? [actions.openSetting('learnFromUse')] : [];
    const page = usagePage({
      week: usage && lastWeek(usage, new Date()),
      isCounting: usage?.isCounting ?? true,
      model: this.status.model,
      problems: this.status.problems,
      actions: [...countAgain, actions.selectModel(), actions.explain()],
      locale: vscode.env.language,
    }, randomUUID());
    panel.webview.html = page;
  }
}
