/** Answers "why nothing here?": asks once more at the cursor, and shows the suggestion or the reason for none. */

import * as vscode from 'vscode';
import { t } from './l10n.ts';
import type { Server } from './server.ts';
import type { StatusBar } from './status_bar.ts';
import { explainSilence, type Reason, type Trace } from './why.ts';
import type { WhyLens } from './why_lens.ts';

const HINT_MS = 5_000;

/** Shows a suggestion at the cursor, or above its line why there is none. */
export async function whyNothing(server: Server, status: StatusBar, lens: WhyLens): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    void vscode.window.showInformationMessage(t('FIM LSP: no file is open. Open one and place the cursor.'));
    return;
  }
  const { document, selection: { active: position } } = editor;
  const problem = status.problems.find(({ isBlocking }) => isBlocking);
  if (problem !== undefined) {
    await lens.show(document, position, problem);
    return;
  }
  const off = status.offReason;
  if (off !== undefined) {
    await lens.show(document, position, { sentence: off.long, actions: [] });
    return;
  }
  const trace = await server.tryAt(document.uri, position);
  if (trace?.outcome === 'shown') {
    await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    vscode.window.setStatusBarMessage(t('FIM LSP: there is a suggestion here.'), HINT_MS);
    return;
  }
  await lens.show(document, position, reasonOf(trace, document.languageId));
}

function reasonOf(trace: Trace | undefined, language: string): Reason {
  return trace === undefined
    ? { sentence: t('The server is starting.'), actions: [] }
    : explainSilence(trace, language);
}
