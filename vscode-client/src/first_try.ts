/** Opens an example with a blank line to complete, and asks for a suggestion there. */

import * as vscode from 'vscode';

/** Opens the example as an untitled document, which needs no folder and is gone when it is closed. */
export async function tryIt(extensionUri: vscode.Uri): Promise<void> {
  const example = vscode.Uri.joinPath(extensionUri, 'dist', 'example.py');
  const content = new TextDecoder().decode(await vscode.workspace.fs.readFile(example));
  const document = await vscode.workspace.openTextDocument({ language: 'python', content });
  const editor = await vscode.window.showTextDocument(document);
  const place = blankLineEnd(content);
  const position = new vscode.Position(place.line, place.character);
  editor.selection = new vscode.Selection(position, position);
  editor.revealRange(new vscode.Range(position, position), vscode.TextEditorRevealType.InCenter);
  await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
}

/** Returns the end of the one line that has white space alone. */
function blankLineEnd(content: string): { line: number; character: number } {
  const lines = content.split('\n');
  const line = lines.findIndex((text) => text !== '' && text.trim() === '');
  return { line: Math.max(0, line), character: lines[line]?.length ?? 0 };
}
