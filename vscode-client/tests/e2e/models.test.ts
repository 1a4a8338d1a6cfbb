/** Tests in real VS Code how models are offered, fetched, chosen and removed, against a stand-in for the hub. */

import assert from 'node:assert/strict';
import {
  existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Locator } from 'playwright-core';
import { Hub, HUGE, RESTRICTED, SMALL } from './hub.ts';
import { ARTIFACTS, Editor, PYTHON, REPOSITORY, until, withScreenshot, type Window } from './vscode.ts';

const EXAMPLE = readFileSync(join(REPOSITORY, 'examples/inventory.py'), 'utf8');
const BLANK = EXAMPLE.split('\n').findIndex((text) => text.trim() === '' && text !== '') + 1;
const SETTINGS = { 'fimLsp.interpreter': PYTHON, 'fimLsp.eagerness': 1, 'fimLsp.offerModels': true };
const EMBEDDED = 'embedded';
const OFFER = /small-fim.* MB to download.*Apache-2\.0/;

/** Bytes in a second of a download that ends only because the test ends it. */
const SLOW = 150_000;

let folder: string;
let hub: Hub;
let editor: Editor;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fim-lsp-models-'));
  hub = await Hub.start(folder);
  editor = await Editor.launch({
    env: { ...hub.env, XDG_DATA_HOME: join(folder, 'data'), XDG_CACHE_HOME: join(folder, 'cache') },
    machineSettings: { 'workbench.welcomePage.walkthroughs.openOnInstall': true },
  });
});
after(async () => {
  mkdirSync(ARTIFACTS, { recursive: true });
  writeFileSync(join(ARTIFACTS, 'models.log'), editor.output() + log());
  await editor.close();
  await hub.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Returns the settings of a window whose server knows nothing of what other windows have installed and answered. */
function asOnANewMachine(name: string): object {
  const homes = ['data', 'cache', 'state'].map((kind) => `XDG_${kind.toUpperCase()}_HOME=${join(folder, name, kind)}`);
  return { ...SETTINGS, 'fimLsp.command': ['env', ...homes, PYTHON, '-m', 'fim_lsp'] };
}

/** Returns the names of the models that were added, half ones and leftovers included. */
function added(home: string): string[] {
  const models = join(home, 'fim-lsp/models');
  return existsSync(models) ? readdirSync(models) : [];
}

/** Returns what servers have logged, by their XDG_STATE_HOME. */
function log(home = join(editor.folder, 'state')): string {
  return globSync(join(home, '**/*.log')).map((file) => readFileSync(file, 'utf8')).join('');
}

async function selectModel(window: Window): Promise<void> {
  await window.focusEnd();
  await window.command('FIM LSP: Select Model');
  await row(window, 'default').waitFor();
}

function row(window: Window, name: string): Locator {
  return window.page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first();
}

async function open(
  settings: object, name: string, work: (window: Window) => Promise<void>, state = /^ready/,
): Promise<void> {
  const window = await editor.open({ 'inventory.py': EXAMPLE }, settings);
  try {
    await withScreenshot(window, name, async () => {
      await window.status(state);
      await work(window);
    });
  } finally {
    await window.close();
  }
}

/** Asks for a suggestion in a blank line of the example, and waits until there is one. */
async function expectSuggestion(window: Window): Promise<void> {
  await window.focusEnd();
  await window.goTo(BLANK, 9);
  await window.type('if ');
  await window.command('FIM LSP: Trigger Inline Suggestion');
  await until('there was no ghost text', () => window.ghost(), (ghost) => ghost !== '');
}

test('a model is offered, fetched, and after a broken connection fetched on, then used without a restart', async () => {
  await open(asOnANewMachine('first'), 'offer', async (window) => {
    const servers = editor.servers();
    await window.page.locator('.gettingStartedContainer').waitFor();
    const isOffered = (text: string): boolean => text.includes('small-fim is offered');
    await until('nothing was offered', () => log(join(folder, 'first/state')), isOffered);
    assert.deepEqual(await window.notifications(), []); // the offer waits until the walkthrough gives way to a file
    await window.page.locator('.tab', { hasText: 'inventory.py' }).click();
    await window.expectNotification(OFFER);
    await window.screenshot('offer');
    await hub.troubles({ slow: SLOW });
    await window.button('Download');

    await window.status(/adding small-fim, [1-9]\d? %/);
    await window.expectNotification(/small-fim.* left/);
    await window.screenshot('fetching');
    await expectSuggestion(window); // the embedded model answers meanwhile
    await window.press('Escape');
    await window.clickStatus();
    await window.page.getByPlaceholder(/^adding small-fim, \d+ %/).waitFor();
    await window.screenshot('menu-while-fetching');
    await window.press('Escape');
    await window.page.mouse.move(600, 100); // the tooltip of the status bar lies above the notifications

    await hub.troubles({ down: true });
    await window.expectNotification(/small-fim was not added: .*cannot be fetched/);
    await window.screenshot('cut-off');
    assert.deepEqual(added(join(folder, 'first/data')), []);
    await hub.troubles({ down: false, slow: null });
    await window.button('Try again');

    await window.expectModel(SMALL);
    assert.deepEqual(added(join(folder, 'first/data')), [SMALL]);
    assert.deepEqual(await window.notifications(), []);
    await window.goTo(BLANK, 12);
    await window.command('FIM LSP: Trigger Inline Suggestion');
    await until('there was no ghost text', () => window.ghost(), (ghost) => ghost !== '');
    await window.screenshot('used-without-a-restart');
    assert.deepEqual(editor.servers(), servers);
  });
});

test('who says Never is not asked again, in the next window and on another day either', async () => {
  await open(SETTINGS, 'never', async (window) => {
    await window.expectNotification(OFFER);
    await window.button('Never');
    await until('the offer stays', () => window.notifications(), (texts) => texts.length === 0);
  });
  const answers = join(folder, 'data/fim-lsp/offers.json');
  const anotherDay = readFileSync(answers, 'utf8').replace(/\d{4}-\d{2}-\d{2}/, '2026-01-01');
  writeFileSync(answers, anotherDay);
  await open(SETTINGS, 'not-asked-again', expectSuggestion);
  assert.equal(readFileSync(answers, 'utf8'), anotherDay);
});

test('a license that restricts the use is asked for; without an answer nothing is fetched', async () => {
  const before = await hub.requests();
  await open(SETTINGS, 'license', async (window) => {
    await selectModel(window);
    await row(window, HUGE).locator('.codicon-warning').waitFor();
    await row(window, RESTRICTED).click();
    const question = 'Do you agree with the license of restricted-fim?';
    const dialog = window.page.locator('.monaco-dialog-box', { hasText: question });
    await dialog.waitFor();
    await dialog.getByText('Example RAIL').waitFor();
    await window.screenshot('license');
    await window.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await window.status(/^ready(?!.*adding)/);
  });
  assert.deepEqual(await hub.requests(), before);
});

test('a download that is cancelled leaves no model behind, and the model in use stays', async () => {
  await hub.troubles({ slow: SLOW });
  await open(SETTINGS, 'cancelled', async (window) => {
    await selectModel(window);
    await row(window, SMALL).locator('.codicon-star-full').waitFor();
    await row(window, 'default').getByText('per second here').waitFor();
    await window.screenshot('select-model-available');
    await row(window, SMALL).click();
    await window.status(/adding small-fim, [1-9]\d? %/);
    await selectModel(window);
    await row(window, SMALL).getByText('is being fetched').waitFor();
    await window.press('Escape');
    await window.button('Cancel');
    await window.status(/^ready(?!.*adding)/);
    assert.deepEqual(await window.notifications(), []);
    assert.deepEqual(added(join(folder, 'data')), []);
    await expectSuggestion(window);
    await window.expectModel(EMBEDDED);
  });
});

test('wrong bytes are refused in words with a next step; the model that is then added can be removed', async () => {
  await hub.troubles({ slow: null, wrong_bytes: true });
  await open(SETTINGS, 'wrong', async (window) => {
    await selectModel(window);
    await row(window, SMALL).click();
    await window.expectNotification(/damaged on its way/);
    await window.screenshot('wrong-bytes');
    assert.deepEqual(added(join(folder, 'data')), []);
    await hub.troubles({ wrong_bytes: false });
    await window.button('Try Again');
    await window.expectModel(SMALL);

    await selectModel(window);
    await row(window, SMALL).hover();
    await window.screenshot('select-model-installed');
    await row(window, SMALL).getByRole('button', { name: /^Remove small-fim/ }).click();
    await window.page.locator('.monaco-dialog-box .monaco-button', { hasText: 'Remove' }).click();
    await row(window, SMALL).locator('.codicon-star-full').waitFor();
    await window.press('Escape');
    assert.deepEqual(added(join(folder, 'data')), []);
    await window.expectModel(EMBEDDED);
  });
});

test('where a setting names a model, Select Model changes the setting', async () => {
  await open({ ...SETTINGS, 'fimLsp.model': 'nonsense' }, 'setting', async (window) => {
    await window.expectNotification(/nonsense/);
    await window.button('Select Model');
    await row(window, 'default').click();
    const settings = (): string => window.read('.vscode/settings.json');
    await until('the setting stays', settings, (text) => /"fimLsp\.model": "default"/.test(text));
    await window.status(/^ready(?!.*adding)/);
  }, /error/);
});

test('no window has asked who said Never', () => {
  assert.equal(log().match(/the model small-fim is offered/g)?.length, 1);
});
