/** Takes the pictures of the walkthrough, all with the embedded model. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Editor, PYTHON, REPOSITORY, until, withScreenshot, type Window } from './vscode.ts';

const EXAMPLE = readFileSync(join(REPOSITORY, 'examples/inventory.py'), 'utf8');
const SIZE = { width: 900, height: 520 };
/** Numbers that are made up for the picture, for the days of a week. */
const KEYS = [310, 1240, 860, 0, 1530, 420, 95];

let editor: Editor;
before(async () => { editor = await Editor.launch({ settings: { 'workbench.statusBar.visible': true } }); });
after(async () => { await editor.close(); });

function scenario(name: string, settings: object, work: (window: Window) => Promise<void>): void {
  test(`a picture of ${name}`, async () => {
    const window = await editor.open({ 'inventory.py': EXAMPLE }, { 'fimLsp.interpreter': PYTHON, ...settings });
    await withScreenshot(window, name, async () => {
      await window.page.setViewportSize(SIZE);
      await window.status(/^ready/);
      await window.focusEnd();
      await window.command('View: Toggle Primary Side Bar Visibility');
      await work(window);
      await window.page.mouse.move(450, 440);  // tooltips lie above what is to be seen
      await window.screenshot(name);
    });
    await window.close();
  });
}

scenario('why', { 'fimLsp.eagerness': 0, 'fimLsp.keyHint': false }, async (w) => {
  await w.goTo(28, 9);
  await w.press('Shift+End');
  await w.type('found = ');
  await w.command('FIM LSP: Why Nothing Here?');
  const lens = w.page.locator('.codelens-decoration', { hasText: 'Suggest Anyway' });
  await lens.first().waitFor();
});

scenario('models', {}, async (w) => {
  await w.command('FIM LSP: Select Model');
  await w.page.locator('.quick-input-list .monaco-list-row', { hasText: 'per second here' }).first().waitFor();
});

scenario('usage', {}, async (w) => {
  const days = Object.fromEntries(KEYS.map((keys, index) => {
    const date = new Date(Date.now() - (KEYS.length - 1 - index) * 86_400_000);
    return [date.toISOString().slice(0, 10), { accepted: Math.ceil(keys / 25), keys }];
  }));
  const folder = join(editor.folder, 'state/fim-lsp');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'saved_keys.json'), JSON.stringify({ version: 1, days }));
  await w.command('FIM LSP: Show Keys Saved This Week');
  const drawn = async (): Promise<number> => {
    const counts = await Promise.all(w.page.frames().map((frame) => frame.locator('rect').count().catch(() => 0)));
    return Math.max(...counts);
  };
  await until('no chart', drawn, (bars) => bars === KEYS.length);
});
