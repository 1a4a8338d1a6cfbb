/** Says beside the first suggestions which keys accept them; off after some acceptances, or by a setting. */

import * as vscode from 'vscode';
import { showsKeyHint } from './configuration.ts';
import { t } from './l10n.ts';

const ACCEPTED = 'accepted';
/** Acceptances after which a user knows the keys. */
const MAX_ACCEPTED = 10;
/** Escape takes the suggestion away without a sign that an extension could see, so the hint goes by itself. */
const SHOWN_MS = 6_000;

export class KeyHint implements vscode.Disposable {
  private readonly memento: vscode.Memento;
  /** Looks like a label, so that nobody takes it for a part of the suggestion. */
  private readonly decoration = vscode.window.createTextEditorDecorationType({
    after: {
      color: new vscode.ThemeColor('descriptionForeground'),
      backgroundColor: new vscode.ThemeColor('editorWidget.background'),
      borderColor: new vscode.ThemeColor('editorWidget.border'),
      border: '1px solid',
      margin: '0 0 0 3em',
      fontStyle: 'normal',
    },
  });
  private readonly subscription: vscode.Disposable;
  private editor: vscode.TextEditor | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(memento: vscode.Memento) {
    this.memento = memento;
    this.subscription = vscode.Disposable.from(
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        if (document === this.editor?.document) this.hide();
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
        if (textEditor === this.editor) this.hide();
      }),
      vscode.window.onDidChangeActiveTextEditor(() => { this.hide(); }),
    );
  }

  dispose(): void {
    this.hide();
    this.subscription.dispose();
    this.decoration.dispose();
  }

  /** Counts an acceptance: after some of them no hint is shown. */
  async accepted(): Promise<void> {
    this.hide();
    const before = this.memento.get<number>(ACCEPTED, 0);
    if (before < MAX_ACCEPTED) await this.memento.update(ACCEPTED, before + 1);
  }

  /** Shows the keys at the end of the line in which a suggestion appears. */
  show(document: vscode.TextDocument, position: vscode.Position): void {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document !== document || !editor.selection.active.isEqual(position)) return;
    if (!showsKeyHint() || this.memento.get<number>(ACCEPTED, 0) >= MAX_ACCEPTED) return;
    this.hide();
    this.editor = editor;
    const range = editor.document.lineAt(position.line).range;
    editor.setDecorations(this.decoration, [
      { range: new vscode.Range(range.end, range.end), renderOptions: { after: { contentText: ` ${hint()} ` } } },
    ]);
    this.timer = setTimeout(() => { this.hide(); }, SHOWN_MS);
  }

  /** Takes the hint away. */
  hide(): void {
    clearTimeout(this.timer);
    this.editor?.setDecorations(this.decoration, []);
    this.editor = undefined;
  }
}

function hint(): string {
  return process.platform === 'darwin' && vscode.env.uiKind === vscode.UIKind.Desktop
    ? t('Tab: accept, Cmd+Right: a word, Esc: dismiss')
    : t('Tab: accept, Ctrl+Right: a word, Esc: dismiss');
}
