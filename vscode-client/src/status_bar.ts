/** The item in the status bar: shows what `status` says, for the document in front. */

import * as vscode from 'vscode';
import { parseLanguages } from './settings.ts';
import { view, whyOff, type Facts, type Life, type State } from './status.ts';

/** A shorter time at work is not shown: an icon that flickers at each key disturbs. */
const SHOW_BUSY_AFTER_MS = 300;

export class StatusBar implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly subscriptions: { dispose(): unknown }[];
  /** Documents that the server has said it does not complete, and why. */
  private readonly excluded = new Map<string, string>();
  private life: Life = { kind: 'starting', detail: '' };
  private snoozedUntil = 0;
  private wakeUp: NodeJS.Timeout | undefined;
  private busy: NodeJS.Timeout | undefined;

  constructor() {
    this.item = vscode.window.createStatusBarItem('fimLsp.status', vscode.StatusBarAlignment.Right, 100);
    this.item.name = 'FIM LSP';
    this.subscriptions = [
      this.item,
      vscode.window.onDidChangeActiveTextEditor(() => { this.refresh(); }),
      vscode.workspace.onDidOpenTextDocument(() => { this.refresh(); }),  // also a change of the language
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.excluded.delete(uri.toString())),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (!change.affectsConfiguration('fimLsp')) return;
        this.excluded.clear();
        this.refresh();
      }),
    ];
    this.refresh();
    this.item.show();
  }

  dispose(): void {
    clearTimeout(this.wakeUp);
    clearTimeout(this.busy);
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  /** Show another moment of the server's life. */
  show(life: Life): void {
    const isBusy = life.kind === 'running' && life.status?.state === 'busy';
    clearTimeout(this.busy);
    this.life = life;
    if (isBusy) this.busy = setTimeout(() => { this.refresh(); }, SHOW_BUSY_AFTER_MS);
    else this.refresh();
  }

  /** Whether suggestions are silenced for a while. */
  get isSnoozed(): boolean {
    return this.snoozedUntil > Date.now();
  }

  /** Silence suggestions for some milliseconds; 0 ends the silence. */
  snooze(ms: number): void {
    this.snoozedUntil = Date.now() + ms;
    clearTimeout(this.wakeUp);
    this.wakeUp = setTimeout(() => { this.refresh(); }, ms + 50);
    this.refresh();
  }

  /** Note that the server does not complete a document; an empty reason takes it back. */
  exclude(document: vscode.TextDocument, reason: string): void {
    const key = document.uri.toString();
    if ((this.excluded.get(key) ?? '') === reason) return;
    if (reason === '') this.excluded.delete(key);
    else this.excluded.set(key, reason);
    this.refresh();
  }

  /** Why nothing is suggested in the document in front, or undefined. */
  get whyOff(): string | undefined {
    return whyOff(this.facts(), Date.now())?.long;
  }

  private facts(): Facts {
    const configuration = vscode.workspace.getConfiguration('fimLsp');
    const document = vscode.window.activeTextEditor?.document;
    return {
      life: this.life,
      isEnabled: configuration.get('enabled') !== false,
      languages: parseLanguages(configuration.get('languages')),
      snoozedUntil: this.snoozedUntil,
      document: document && {
        languageId: document.languageId,
        scheme: document.uri.scheme,
        excluded: this.excluded.get(document.uri.toString()) ?? '',
      },
    };
  }

  private refresh(): void {
    const { state, text, label, tooltip } = view(this.facts(), Date.now());
    this.item.text = text;
    this.item.accessibilityInformation = { label, role: 'button' };
    const markdown = new vscode.MarkdownString(`**${label}**`);
    for (const line of tooltip) markdown.appendMarkdown('\n\n').appendText(line);
    this.item.tooltip = markdown;
    this.item.command = state === 'error' ? 'fimLsp.showOutput' : 'fimLsp.showMenu';
    this.item.backgroundColor = BACKGROUNDS[state];
    void vscode.commands.executeCommand('setContext', 'fimLsp.isReady', state === 'ready' || state === 'busy');
  }
}

const BACKGROUNDS: Partial<Record<State, vscode.ThemeColor>> = {
  error: new vscode.ThemeColor('statusBarItem.errorBackground'),
};
