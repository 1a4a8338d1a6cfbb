/** Shows in the status bar what `status` says about the active document. */

import * as vscode from 'vscode';
import { t } from './l10n.ts';
import { findProblems, type Problem } from './problems.ts';
import {
  describeAdding, describeLastAnswer, describeModel, describeStatus, findOffReason,
  type DocumentState, type Indicator, type LastAnswer, type OffReason, type ProcessState, type StatusFacts,
} from './status.ts';

/** Shorter work is not shown: an icon that flickers at each key disturbs. */
const SHOW_BUSY_AFTER_MS = 300;

/** Commands that the tooltip has links for, with their words. */
const TOOLTIP_COMMANDS: readonly [string, () => string][] = [
  ['fimLsp.whyNothing', () => t('Why nothing here?')],
  ['fimLsp.selectModel', () => t('Select model')],
  ['fimLsp.showUsage', () => t('Keys saved')],
];

const BACKGROUNDS: Partial<Record<Indicator, vscode.ThemeColor>> = {
  error: new vscode.ThemeColor('statusBarItem.errorBackground'),
};

export class StatusBar implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly subscriptions: { dispose(): unknown }[];
  /** States of documents that are not `active`, by their URI. */
  private readonly documents = new Map<string, DocumentState>();
  private process: ProcessState = { kind: 'starting', detail: '' };
  private snoozedUntil = 0;
  private lastAnswer: LastAnswer | undefined;
  private wakeUp: NodeJS.Timeout | undefined;
  private busy: NodeJS.Timeout | undefined;

  constructor() {
    this.item = vscode.window.createStatusBarItem('fimLsp.status', vscode.StatusBarAlignment.Right, 100);
    this.item.name = 'FIM LSP';
    this.item.command = 'fimLsp.showMenu';
    this.subscriptions = [
      this.item,
      vscode.window.onDidChangeActiveTextEditor(() => { this.refresh(); }),
      vscode.workspace.onDidOpenTextDocument(() => { this.refresh(); }),  // also a change of the language
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.documents.delete(uri.toString())),
    ];
    this.refresh();
    this.item.show();
  }

  dispose(): void {
    clearTimeout(this.wakeUp);
    clearTimeout(this.busy);
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  /** Shows another state of the server's process. */
  show(process: ProcessState): void {
    const isBusy = process.kind === 'running' && process.status?.state === 'busy';
    clearTimeout(this.busy);
    this.process = process;
    if (process.kind !== 'running') {  // the next process sends its own
      this.documents.clear();
      this.lastAnswer = undefined;
    }
    if (isBusy) this.busy = setTimeout(() => { this.refresh(); }, SHOW_BUSY_AFTER_MS);
    else this.refresh();
  }

  /** Shows what the server says about a document. */
  showDocument(document: DocumentState): void {
    const key = vscode.Uri.parse(document.uri).toString();  // percent-escapes may differ
    if (document.state === 'active') this.documents.delete(key);
    else this.documents.set(key, document);
    this.refresh();
  }

  /** Shows what came of the last request, and how long it took. */
  showAnswer(answer: LastAnswer): void {
    this.lastAnswer = answer;
    this.refresh();
  }

  /** Tells whether the user has silenced suggestions for a while. */
  get isSnoozed(): boolean {
    return this.snoozedUntil > Date.now();
  }

  /** Silences suggestions for some milliseconds; 0 ends the silence. */
  snooze(ms: number): void {
    this.snoozedUntil = Date.now() + ms;
    clearTimeout(this.wakeUp);
    this.wakeUp = setTimeout(() => { this.refresh(); }, ms + 50);
    this.refresh();
  }

  /** Why nothing is suggested in the active document; undefined if suggestions are on. */
  get offReason(): OffReason | undefined {
    return findOffReason(this.facts(), Date.now());
  }

  /** What keeps suggestions from coming, with the actions that mend it. */
  get problems(): readonly Problem[] {
    return findProblems(this.facts(), Date.now());
  }

  /** Whether the user wants suggestions at all, as the running server says. */
  get isDisabled(): boolean {
    return this.process.kind === 'running' && this.process.status?.state === 'disabled';
  }

  /** Whether there is no server yet, because it was never installed. */
  get isSetUpMissing(): boolean {
    return this.process.kind === 'failed' && this.process.isSetUpMissing === true;
  }

  /** Which model is being fetched, and how much of it is there; undefined for none. */
  get adding(): string | undefined {
    return describeAdding(this.process)?.long;
  }

  /** Lines about the running model, its languages and the last answer. */
  get model(): readonly string[] {
    const last = describeLastAnswer(this.lastAnswer);
    return [...describeModel(this.process), ...(last === undefined ? [] : [last])];
  }

  private facts(): StatusFacts {
    const document = vscode.window.activeTextEditor?.document;
    const { state = 'active', message = '' } = this.documents.get(document?.uri.toString() ?? '') ?? {};
    return {
      process: this.process,
      snoozedUntil: this.snoozedUntil,
      lastAnswer: this.lastAnswer,
      document: document && { languageId: document.languageId, scheme: document.uri.scheme, state, message },
    };
  }

  private refresh(): void {
    const { indicator, text, label, tooltip } = describeStatus(this.facts(), Date.now());
    this.item.text = text;
    this.item.accessibilityInformation = { label, role: 'button' };
    const markdown = new vscode.MarkdownString(`**${label}**`);
    for (const line of tooltip) markdown.appendMarkdown('\n\n').appendText(line);
    markdown.isTrusted = { enabledCommands: TOOLTIP_COMMANDS.map(([command]) => command) };
    const links = TOOLTIP_COMMANDS.map(([command, title]) => `[${title()}](command:${command})`);
    if (indicator !== 'set up') markdown.appendMarkdown(`\n\n---\n\n${links.join(' | ')}`);
    this.item.tooltip = markdown;
    this.item.backgroundColor = BACKGROUNDS[indicator];
    const isReady = indicator === 'ready' || indicator === 'busy' || indicator === 'on request';
    void vscode.commands.executeCommand('setContext', 'fimLsp.isReady', isReady);
  }
}
