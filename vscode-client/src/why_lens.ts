/** Says above a line, on demand, why nothing was suggested there, with the actions that help. */

import * as vscode from 'vscode';
import type { Action } from './action.ts';
import { t } from './l10n.ts';
import { SCHEMES } from './status.ts';
import type { Reason } from './why.ts';

const CLOSE = 'fimLsp.closeWhy';

interface Shown {
  readonly document: vscode.TextDocument;
  readonly line: number;
  readonly reason: Reason;
}

export class WhyLens implements vscode.CodeLensProvider, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<void>();
  private readonly subscription: vscode.Disposable;
  private shown: Shown | undefined;
  readonly onDidChangeCodeLenses = this.changes.event;

  constructor() {
    this.subscription = vscode.Disposable.from(
      vscode.languages.registerCodeLensProvider(SCHEMES.map((scheme) => ({ scheme })), this),
      vscode.commands.registerCommand(CLOSE, () => { this.close(); }),
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        if (document === this.shown?.document) this.close();
      }),
    );
  }

  dispose(): void {
    this.subscription.dispose();
    this.changes.dispose();
  }

  /** Shows a reason above the line of a position; as a message where the user has switched lenses off. */
  async show(document: vscode.TextDocument, position: vscode.Position, reason: Reason): Promise<void> {
    if (vscode.workspace.getConfiguration('editor', document).get('codeLens') === false) {
      await showAsMessage(reason);
      return;
    }
    this.shown = { document, line: position.line, reason };
    this.changes.fire();
  }

  /** Takes the reason away. */
  close(): void {
    if (this.shown === undefined) return;
    this.shown = undefined;
    this.changes.fire();
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    if (document !== this.shown?.document) return [];
    const { line, reason } = this.shown;
    const range = new vscode.Range(line, 0, line, 0);
    const explain: Action = { title: `$(info)\u00a0${reason.sentence}`, command: 'fimLsp.explain' };
    const all = [explain, ...reason.actions, { title: `$(close)\u00a0${t('Close')}`, command: CLOSE }];
    return all.map(({ title, command, arguments: args }) =>
      new vscode.CodeLens(range, { title, command, arguments: [...args ?? []] }));
  }
}

async function showAsMessage({ sentence, actions }: Reason): Promise<void> {
  const title = await vscode.window.showInformationMessage(
    `FIM LSP: ${sentence}`, ...actions.map((action) => action.title),
  );
  const chosen = actions.find((action) => action.title === title);
  if (chosen !== undefined) await vscode.commands.executeCommand(chosen.command, ...chosen.arguments ?? []);
}
