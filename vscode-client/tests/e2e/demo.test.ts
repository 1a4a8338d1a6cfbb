/** Takes the picture of the extension's pages: the place of `make demo` in real VS Code. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Editor, PYTHON, REPOSITORY, withScreenshot } from './vscode.ts';

interface Answer {
  model: string;
  items: { insertText: string }[];
}

const makefile = readFileSync(join(REPOSITORY, 'Makefile'), 'utf8');
const [, file = '', line = '', column = ''] = /^DEMO := (.+):(\d+):(\d+)$/m.exec(makefile) ?? [];
const COMPLETE = ['-m', 'fim_lsp', 'complete', `${file}:${line}:${column}`, '-n', '3', '--json'];
const asked = execFileSync(PYTHON, COMPLETE, { cwd: REPOSITORY, encoding: 'utf8' });
const { model, items: [item] } = JSON.parse(asked) as Answer;
const text = item?.insertText ?? '';

let editor: Editor;
before(async () => { editor = await Editor.launch(); });
after(async () => { await editor.close(); });

test('the picture shows what the embedded model writes at the place of the demo', async () => {
  const files = { 'inventory.py': readFileSync(join(REPOSITORY, file), 'utf8') };
  const window = await editor.open(files, { 'fimLsp.interpreter': PYTHON });
  await withScreenshot(window, 'demo', async () => {
    await window.status(/^ready/);
    await window.focusEnd();
    await window.goTo(Number(line), Number(column));
    await window.command('FIM LSP: Trigger Inline Suggestion');
    assert.notEqual(text, '');
    await window.expectGhost(text);
    await window.screenshot('ghost-text');
  });
  await window.close();
});

test('what stands beside the picture names the model and what it wrote', () => {
  const texts = JSON.parse(readFileSync(join(REPOSITORY, 'vscode-client/package.nls.json'), 'utf8')) as
    Record<string, string>;
  const step = texts['walkthrough.type.description'] ?? '';
  for (const page of [readFileSync(join(REPOSITORY, 'vscode-client/README.md'), 'utf8'), step]) {
    assert.match(page, new RegExp(`${model}, 10 M parameters`));
    assert.ok(page.includes(text), `${text} is not in: ${page}`);
  }
});
