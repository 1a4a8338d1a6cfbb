/** Tests in real VS Code what a new user meets: the walkthrough and the embedded model. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Editor, PYTHON, REPOSITORY, until, withScreenshot } from './vscode.ts';

let editor: Editor;
before(async () => {
  editor = await Editor.launch({ machineSettings: { 'workbench.welcomePage.walkthroughs.openOnInstall': true } });
});
after(async () => { await editor.close(); });

test('the first window shows the walkthrough, a later one does not', async () => {
  const first = await editor.open({ 'a.py': '' }, { 'fimLsp.interpreter': PYTHON });
  await withScreenshot(first, 'walkthrough', async () => {
    await first.page.locator('.gettingStartedContainer', { hasText: 'Code completion on your own machine' }).waitFor();
    await first.status(/^ready/);
    const step = first.page.locator('.getting-started-step', { hasText: 'Install the server' });
    await step.locator('.codicon-getting-started-step-checked').waitFor();
    await first.page.setViewportSize({ width: 1600, height: 800 });  // narrower, the picture has no place
    await first.screenshot('walkthrough');
    await first.page.locator('.getting-started-step', { hasText: 'Type, and press Tab' }).click();
    await first.page.locator('.getting-started-media img').first().waitFor();
    await first.screenshot('walkthrough-type');
  });
  await first.close();
});

test('the model completes a real file: the text that `fim-lsp complete` prints, on disk', async () => {
  const whole = readFileSync(join(REPOSITORY, 'examples/inventory.py'), 'utf8');
  const line = whole.split('\n').findIndex((text) => text.trim() === '' && text !== '') + 1;
  const typed = 'if ';
  const before = whole.split('\n').with(line - 1, `        ${typed}`).join('\n');
  const settings = { 'fimLsp.interpreter': PYTHON, 'fimLsp.eagerness': 1, 'fimLsp.candidates': 1 };
  const window = await editor.open({ 'inventory.py': whole }, settings);
  await withScreenshot(window, 'embedded', async () => {
    const asked = join(window.folder, 'asked', 'inventory.py');
    window.write('asked/inventory.py', before);
    const complete = ['-m', 'fim_lsp', 'complete', `${asked}:${line}:${9 + typed.length}`, '--json'];
    const answer = execFileSync(PYTHON, complete, { cwd: REPOSITORY, encoding: 'utf8' });
    const text = (JSON.parse(answer) as { items: { insertText: string }[] }).items[0]?.insertText;
    assert.ok(text, 'the embedded model has nothing to say here; choose another place for this test');

    await window.status(/^ready/);
    assert.equal(await window.page.locator('.gettingStartedContainer').count(), 0);
    await window.focusEnd();
    await window.goTo(line, 9);
    await window.type(typed);
    // Unasked, the server may stop before a doubtful word; a user who asks sees everything.
    const isStart = (ghost: string): boolean => ghost !== '' && text.startsWith(ghost);
    await until('typing never gave ghost text', () => window.ghost(), isStart);
    await window.press('Escape');
    await window.expectGhost('');
    await window.command('FIM LSP: Trigger Inline Suggestion');
    await window.expectGhost(text);
    await window.screenshot('embedded');
    await window.press('Tab');
    await window.expectSaved('inventory.py', whole.split('\n').with(line - 1, `        ${typed}${text}`).join('\n'));

    const explanation = await window.expectExplanation(/inventory\.py/);
    // Behind the accepted text VS Code asks again, and that request may be the last one.
    assert.match(explanation, /A suggestion was shown\.|shown in inventory\.py/);
    await window.screenshot('explain');
    await window.clickStatus();
    await window.page.getByPlaceholder(/^suggests while you type in: .*python/).waitFor();
    await window.screenshot('status-menu');
    await window.press('Escape');
    await window.command('FIM LSP: Select Model');
    await window.page.locator('.quick-input-list .monaco-list-row', { hasText: 'per second here' }).first().waitFor();
    await window.screenshot('select-model');
    await window.press('Escape');
  });
  await window.close();
});

test('nothing outside this machine was asked for', () => {
  assert.deepEqual([...editor.outside], []);
  writeFileSync(join(REPOSITORY, 'vscode-client/artifacts/output.log'), editor.output());
});
