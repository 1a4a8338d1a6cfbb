/** Goes the way of a new user, from the .vsix to the first accepted suggestion, and takes a picture of each screen. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ARTIFACTS, Editor, until, withScreenshot } from './vscode.ts';

/** What the embedded model writes in the blank line of the example. */
const SUGGESTION = 'except KeyError:';

let editor: Editor;
before(async () => {
  editor = await Editor.launch({
    machineSettings: { 'workbench.welcomePage.walkthroughs.openOnInstall': true },
    settings: { 'workbench.sideBar.location': 'left' },
  });
});
after(async () => { await editor.close(); });

test('from the .vsix to the first accepted suggestion it takes three clicks and Tab', async () => {
  const begun = Date.now();
  let installedMb = 0;
  const steps: { step: string; seconds: number }[] = [];
  const window = await editor.open({ 'notes.py': '' });
  const show = async (step: string): Promise<void> => {
    steps.push({ step, seconds: Math.round((Date.now() - begun) / 100) / 10 });
    await window.page.mouse.move(600, 250);  // tooltips lie above what is to be seen
    await window.screenshot(`first-minutes-${steps.length}-${step}`);
  };
  await withScreenshot(window, 'first-minutes', async () => {
    await window.page.setViewportSize({ width: 1200, height: 680 });
    await window.page.locator('.gettingStartedContainer', { hasText: 'Code completion on your own machine' }).waitFor();
    await window.status(/^set up$/);
    const message = await window.expectNotification(/^FIM LSP: One step is left: install the server\./);
    const announced = Number(/about (\d+) MB/.exec(message)?.[1]);
    assert.equal((await window.notifications()).length, 1);
    await show('one-step-left');

    await window.button('Install');
    await window.expectNotification(/Making|Looking|Collecting|Processing|Installing|Fetching/);
    await show('installing');

    await window.expectNotification(/^FIM LSP is ready\. Open a file and type; Tab accepts what appears\./);
    await window.status(/^ready/);
    await show('ready');
    const [environment = ''] = globSync(join(editor.folder, 'data/User/globalStorage/fim-lsp.fim-lsp/server-*'));
    installedMb = Number(execFileSync('du', ['-sm', environment], { encoding: 'utf8' }).split('\t')[0]);
    assert.ok(Math.abs(installedMb / announced - 1) < 0.2, `${installedMb} MB are no ${announced} MB`);

    await window.button('Try It');
    await window.expectGhost(SUGGESTION);
    await show('suggestion');

    await window.press('Tab');
    const accepted = window.page.locator('.view-line', { hasText: SUGGESTION.split(' ')[0] ?? '' });
    await until('it was not accepted', () => window.ghost(), (ghost) => !ghost.startsWith(SUGGESTION));
    await accepted.first().waitFor();
    await show('accepted');
  });
  mkdirSync(ARTIFACTS, { recursive: true });
  writeFileSync(join(ARTIFACTS, 'first-minutes.json'), JSON.stringify({ steps, installedMb }, null, 1));
  await window.close();
});

test('nothing outside this machine was asked for by a page', () => {
  assert.deepEqual([...editor.outside], []);
});
