/** Holds the server's explanation as a Markdown document, which VS Code's own preview renders. */

import * as vscode from 'vscode';

const PREVIEW_EXTENSION = 'vscode.markdown-language-features';
const PREVIEW = 'vscode.markdown.preview.editor';
const WHERE = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
const URI = vscode.Uri.parse('fim-lsp:/Last suggestion.md');

export class ExplanationDocument implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private markdown = '';
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  private readonly registration: vscode.Disposable;
  readonly onDidChange = this.changes.event;

  constructor() {
    this.registration = vscode.workspace.registerTextDocumentContentProvider(URI.scheme, this);
  }

  dispose(): void {
    this.registration.dispose();
    this.changes.dispose();
  }

  provideTextDocumentContent(): string {
    return this.markdown;
  }

  /** Shows Markdown beside the active editor; as text where VS Code's extension for Markdown is disabled. */
  async show(markdown: string): Promise<void> {
    this.markdown = markdown;
    this.changes.fire(URI);
    if (vscode.extensions.getExtension(PREVIEW_EXTENSION) !== undefined) {
      await vscode.commands.executeCommand('vscode.openWith', URI, PREVIEW, WHERE);
    } else {
      await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(URI), WHERE);
    }
  }
}
