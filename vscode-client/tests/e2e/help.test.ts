/** Tests in real VS Code what helps a person: the hint of the keys, the reason for silence, the menu, keys saved. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Frame } from 'playwright-core';
import { Editor, SCRIPTED, until, withScreenshot, type Window } from './vscode.ts';

const COMMAND = { 'fimLsp.command': SCRIPTED };
/** Names for pictures, names of themes, and the class that the workbench has with each. */
const THEMES: [string, string, string][] = [
  ['dark', 'Default Dark Modern', 'vs-dark'], ['light', 'Default Light Modern', 'vs '],
  ['high-contrast', 'Default High Contrast', 'hc-black'],
  ['high-contrast-light', 'Default High Contrast Light', 'hc-light'],
];

let editor: Editor;
before(async () => { editor = await Editor.launch(); });
after(async () => { await editor.close(); });

function scenario(name: string, settings: object, work: (window: Window) => Promise<void>): void {
  test(name, async () => {
    const window = await editor.open({ 'a.py': 'import os\n\n' }, { ...COMMAND, ...settings });
    try {
      await withScreenshot(window, name, async () => {
        await window.status(/^ready/);
        await window.focusEnd();
        await work(window);
      });
    } finally {
      await window.close();
    }
  });
}

/** Returns texts that an extension has drawn behind lines. */
async function drawnTexts(window: Window): Promise<string> {
  return window.page.evaluate(() => [...document.querySelectorAll('.view-line span')]
    .map((element) => getComputedStyle(element, '::after').content)
    .filter((content) => content !== 'none' && content !== 'normal').join(' '));
}

async function lens(window: Window): Promise<string> {
  return (await window.page.locator('.codelens-decoration').allTextContents()).join(' ').replaceAll('\u00a0', ' ');
}

async function clickLens(window: Window, title: string): Promise<void> {
  await window.page.locator('.codelens-decoration a', { hasText: title }).first().click();
}

async function usageFrame(window: Window): Promise<Frame> {
  const isPage = async (frame: Frame): Promise<boolean> =>
    (await frame.locator('h1', { hasText: 'Keys saved this week' }).count().catch(() => 0)) > 0;
  const find = async (): Promise<Frame | undefined> => {
    const are = await Promise.all(window.page.frames().map(isPage));
    return window.page.frames()[are.indexOf(true)];
  };
  const frame = await until('the page of keys never came', find, (seen) => seen !== undefined);
  assert.ok(frame);
  return frame;
}

scenario('the keys stand beside a suggestion until one types on; the status bar has the time', {}, async (w) => {
  await w.type('total = ');
  await w.expectGhost('price * quantity + tax');
  const hint = 'Tab: accept, Ctrl+Right: a word, Esc: dismiss';
  await until('no hint', () => drawnTexts(w), (texts) => texts.includes(hint));
  await w.status(/^ready, .*, last suggestion in \d+ ms$/);
  await w.screenshot('key-hint');
  await w.type('p');
  await w.press('Escape', 'Backspace', 'Home');
  await until('the hint stays', () => drawnTexts(w), (texts) => !texts.includes('Tab: accept'));
});

scenario('the hint of the keys can be turned off', { 'fimLsp.keyHint': false }, async (w) => {
  await w.type('total = ');
  await w.expectGhost('price * quantity + tax');
  assert.doesNotMatch(await drawnTexts(w), /Tab: accept/);
});

scenario('where nothing comes, the reason stands above the line, and goes with the next key', {}, async (w) => {
  await w.type('nothing_known');
  await w.command('FIM LSP: Why Nothing Here?');
  await until('no reason', () => lens(w), (text) => /of no use here.*Suggest Anyway/.test(text));
  await w.screenshot('why');
  await w.type('x');
  await until('the reason stays', () => lens(w), (text) => text === '');
});

scenario('where there is a suggestion, Why Nothing Here? shows it', {}, async (w) => {
  await w.type('total = ');
  await w.expectGhost('price * quantity + tax');
  await w.press('Escape');
  await w.expectGhost('');
  await w.command('FIM LSP: Why Nothing Here?');
  await w.expectGhost('price * quantity + tax');
  assert.equal(await lens(w), '');
});

scenario('a language that is switched off is switched on by one click beside the reason', {}, async (w) => {
  await w.command('FIM LSP: Toggle Inline Suggestions for This Language');
  await w.status(/^off \(python\)$/);
  await w.focusEnd();
  await w.command('FIM LSP: Why Nothing Here?');
  await until('no reason', () => lens(w), (text) => text.includes('Turn On for python'));
  await w.screenshot('why-language');
  await clickLens(w, 'Turn On for python');
  await w.status(/^ready/);
});

const NO_LENSES = { 'editor.codeLens': false };
scenario('with lenses switched off, the reason is a message with the same buttons', NO_LENSES, async (w) => {
  await w.type('nothing_known');
  await w.command('FIM LSP: Why Nothing Here?');
  await w.expectNotification(/of no use here/);
  await w.button('Suggest Anyway');
});

scenario('the menu tells what is on, and has what mends a problem first', {}, async (w) => {
  await w.clickStatus();
  const rows = w.page.locator('.quick-input-list .monaco-list-row');
  await rows.filter({ hasText: 'Turn Off for python' }).waitFor();
  await rows.filter({ hasText: 'they are on' }).waitFor();
  await w.screenshot('menu');
  await rows.filter({ hasText: 'Snooze for 5 Minutes' }).click();
  await w.status(/^off \(until /);
  await w.clickStatus();
  await w.page.getByPlaceholder(/^snoozed until/).waitFor();
  assert.match((await rows.first().textContent()) ?? '', /End Snooze/);
  await w.screenshot('menu-problem');
  await rows.first().click();
  await w.status(/^ready/);
});

scenario('a file that is none does not make the status bar say off', {}, async (w) => {
  await w.command('FIM LSP: Show Output');
  await w.page.locator('.panel .monaco-editor').first().click();
  await w.status(/^ready/);
});

scenario('the page of keys shows what was saved, links to commands, and is readable in each theme', {}, async (w) => {
  await w.type('total = ');
  await w.expectGhost('price * quantity + tax');
  await w.press('Tab');
  await w.command('FIM LSP: Show Keys Saved This Week');
  const page = await usageFrame(w);
  const read = (): Promise<string> => page.locator('body').innerText();
  const text = await until('nothing was counted', read, (seen) => seen.includes('1 accepted'));
  assert.match(text, /^21$|\b21\b/m);
  assert.match(text, /There are none\./);
  for (const [name, theme, className] of THEMES) {
    w.write('.vscode/settings.json', JSON.stringify({ ...COMMAND, 'workbench.colorTheme': theme }));
    const isHere = (): Promise<boolean> => w.page.locator('body').evaluate(
      (body, expected) => body.querySelector('.monaco-workbench')?.className.includes(expected) === true,
      className,
    );
    await until(`the theme ${theme} never came`, isHere, Boolean);
    await w.screenshot(`usage-${name}`);
  }
  await w.page.setViewportSize({ width: 520, height: 700 });
  await w.screenshot('usage-narrow');
  await w.page.setViewportSize({ width: 1200, height: 700 });
  await (await usageFrame(w)).getByRole('link', { name: 'Select Model' }).click();
  await w.page.locator('.quick-input-title', { hasText: 'FIM LSP: Select Model' }).waitFor();
  await w.press('Escape');
});
