/** Tests in real VS Code what a person sees when something is wrong or switched off. */

import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  Editor, freePort, listens, PYTHON, REPOSITORY, SCRIPTED, until, withScreenshot, type Window,
} from './vscode.ts';

const COMMAND = { 'fimLsp.command': SCRIPTED };

let editor: Editor;
before(async () => {
  // For pip: no package index, and nothing that the machine is configured to offer instead.
  editor = await Editor.launch({
    env: {
      PIP_CONFIG_FILE: '/dev/null',
      PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
      PIP_EXTRA_INDEX_URL: '',
      PIP_FIND_LINKS: '',
    },
  });
});
after(async () => { await editor.close(); });

type Files = Record<string, string>;

/** Declares a test with a window of its own, which is closed after it. */
function scenario(name: string, files: Files, settings: object, work: (window: Window) => Promise<void>): void {
  test(name, async () => {
    const window = await editor.open(files, settings);
    try {
      await withScreenshot(window, name, () => work(window));
    } finally {
      await window.close();
    }
  });
}

test('a killed server is restarted and completes; killed too often, it is left alone with a button', async () => {
  const before = editor.servers();
  const window = await editor.open({ 'a.py': '' }, COMMAND);
  try {
    await withScreenshot(window, 'killed', async () => {
      const startedSince = (): Set<number> => editor.servers().difference(before);
      const kill = async (): Promise<void> => {
        const started = await until('no new server', startedSince, (pids) => pids.size > 0);
        const [pid = 0] = started;
        before.add(pid);
        process.kill(pid, 'SIGKILL');
      };
      await window.status(/^ready/);
      await kill();
      await until('it was not restarted', startedSince, (pids) => pids.size > 0);
      await window.status(/^ready/);
      await window.focusEnd();
      await window.type('total = ');
      await window.expectGhost('price * quantity + tax');
      assert.match(editor.output(), /The server was ended by SIGKILL\. Restarting in 0\.5 s \(1 of 5\)\./);
      assert.deepEqual(await window.notifications(), []);

      for (let stop = 2; stop <= 6; stop++) await kill();
      await window.status(/^error$/);
      await window.expectNotification(/It was restarted 5 times within 3 minutes and is left alone now\./);
      assert.equal((await window.notifications()).length, 1);
      await window.screenshot('left-alone');
      await window.button('Restart');
      await window.status(/^ready/);
    });
  } finally {
    await window.close();
  }
});

const WRONG = { ...COMMAND, 'fimLsp.candidates': 99 };
scenario('a wrong setting is reported once, and the rest works', { 'a.py': '' }, WRONG, async (w) => {
  await w.status(/^ready/);
  await w.expectNotification(/fim-lsp settings: candidates must be a whole number from 1 to 10, got 99/);
  await w.focusEnd();
  await w.type('total = ');
  await w.expectGhost('price * quantity + tax');
  assert.equal((await w.notifications()).length, 1);
  await w.screenshot('bad-setting');
});

scenario('in a language that is switched off nothing is suggested', { 'a.py': '' }, COMMAND, async (w) => {
  await w.status(/^ready/);
  await w.focusEnd();
  await w.command('FIM LSP: Toggle Inline Suggestions for This Language');
  await w.status(/^off \(python\)$/);
  await w.screenshot('status-off');
  await w.type('total = ');
  await w.command('FIM LSP: Trigger Inline Suggestion');
  await w.expectExplanation(/python is switched off/);
  assert.equal(await w.ghost(), '');
  await w.command('FIM LSP: Toggle Inline Suggestions for This Language');
  await w.status(/^ready/);
  await w.command('FIM LSP: Trigger Inline Suggestion');
  await w.expectGhost('price * quantity + tax');
});

test('the settings of the document are taken as they stand there', async () => {
  const document = readFileSync(join(REPOSITORY, 'docs/editors.md'), 'utf8');
  const settings = /^\{\n[^}]*"fimLsp\.languages": \{ "markdown": false \}\n\}$/m.exec(document)?.[0];
  assert.ok(settings, 'docs/editors.md no longer shows settings.json');
  const window = await editor.open({ 'a.md': '' }, { ...COMMAND, ...(JSON.parse(settings) as object) });
  try {
    await withScreenshot(window, 'documented', async () => {
      await window.focusEnd();
      await window.status(/^off \(markdown\)$/);
      assert.deepEqual(await window.notifications(), []);
    });
  } finally {
    await window.close();
  }
});

scenario('a secret is not completed, and the status bar says so at once', { '.env': '' }, COMMAND, async (w) => {
  await w.status(/^off \(excluded\)$/);
  await w.focusEnd();
  await w.type('x');
  // VS Code drops its request for a typed key where the palette opens at once; what is asked by hand waits for nothing.
  const asked = async (): Promise<string> => {
    await w.focusEnd();
    await w.command('FIM LSP: Trigger Inline Suggestion');
    await w.explain();
    return w.explanation();
  };
  await until('no request was explained', asked, (text) => text.includes('excluded'));
  assert.equal(await w.ghost(), '');
});

scenario('Toggle and Snooze silence suggestions and bring them back', { 'a.py': '' }, COMMAND, async (w) => {
  await w.status(/^ready/);
  await w.focusEnd();
  await w.command('FIM LSP: Snooze Inline Suggestions for 5 Minutes');
  await w.status(/^off \(until /);
  await w.type('total = ');
  await w.command('FIM LSP: Trigger Inline Suggestion');
  await w.command('FIM LSP: Show Menu');
  await w.page.locator('.quick-input-list .monaco-list-row', { hasText: 'End Snooze' }).click();
  await w.status(/^ready/);
  assert.equal(await w.ghost(), '');
  await w.command('FIM LSP: Toggle Inline Suggestions');
  await w.status(/^off \(disabled\)$/);
  await w.command('FIM LSP: Toggle Inline Suggestions');
  await w.status(/^ready/);
  await w.command('FIM LSP: Trigger Inline Suggestion');
  await w.expectGhost('price * quantity + tax');
});

scenario('in a file with CRLF nothing else is written', { 'crlf.py': 'import os\r\n\r\n' }, COMMAND, async (w) => {
  await w.status(/^ready/);
  await w.focusEnd();
  await w.type('def add(');
  await w.expectGhost('a, b:\n    return a + b');
  await w.press('Tab');
  await w.expectSaved('crlf.py', 'import os\r\n\r\ndef add(a, b):\r\n    return a + b');
});

const SUGGESTING = {
  ...COMMAND,
  'editor.quickSuggestions': { other: 'on', comments: 'off', strings: 'off' },
  'editor.wordBasedSuggestions': 'currentDocument',
  'editor.inlineSuggest.suppressSuggestions': false,
  'editor.suggest.preview': false,
};
const ENTRY = { 'a.py': 'quantity = 1\n' };
scenario('ghost text goes on behind the selected entry of the suggest widget', ENTRY, SUGGESTING, async (w) => {
  await w.status(/^ready/);
  await w.focusEnd();
  await w.type('quan');
  await w.press('Control+Space');
  await w.page.locator('.suggest-widget.visible .monaco-list-row.focused', { hasText: 'quantity' }).waitFor();
  await w.expectGhost('tity = 250');
  await w.screenshot('suggest-widget');
  await w.press('Tab');  // is the widget's
  await w.expectGhost(' = 250');
  await w.press('Tab');
  await w.expectSaved('a.py', 'quantity = 1\nquantity = 250');
});

test('two windows share one server when they are told its address, as the document says', async () => {
  const document = readFileSync(join(REPOSITORY, 'docs/editors.md'), 'utf8');
  const settings = /^\{ "fimLsp\.address": ".+" \}$/m.exec(document)?.[0];
  assert.ok(settings, 'docs/editors.md no longer says how to share a server');
  const documented = (JSON.parse(settings) as Record<string, string>)['fimLsp.address'] ?? '';
  assert.match(document, new RegExp(`^fim-lsp serve --tcp ${documented}$`, 'm'));
  const port = await freePort();  // another one may be in use here
  const address = `127.0.0.1:${port}`;
  const server = spawn(SCRIPTED[0] ?? '', [...SCRIPTED.slice(1), '--tcp', address], { stdio: 'ignore' });
  await until('the server never listened', () => listens(port), Boolean);
  const shared = JSON.parse(settings.replace(documented, address)) as object;
  const open = (): Promise<Window> => editor.open({ 'a.py': '' }, { 'fimLsp.interpreter': PYTHON, ...shared });
  const windows = await Promise.all([open(), open()]);
  try {
    for (const window of windows) {
      await withScreenshot(window, 'shared', async () => {
        await window.status(/^ready/);
        await window.page.bringToFront();
        await window.focusEnd();
        await window.type('total = ');
        await window.expectGhost('price * quantity + tax');
        await window.press('Tab');
        await window.expectSaved('a.py', 'total = price * quantity + tax');
      });
    }
  } finally {
    await Promise.all(windows.map((window) => window.close()));
    await ended(server);
  }
});

const UNUSED = { 'fimLsp.interpreter': PYTHON, 'fimLsp.address': '127.0.0.1:9' };
scenario('where nothing listens, a message says how to start a server', { 'a.py': '' }, UNUSED, async (w) => {
  await w.status(/^error$/);
  await w.expectNotification(/No server answers at 127\.0\.0\.1:9 .*\. Start one with: fim-lsp serve --tcp/);
  assert.equal((await w.notifications()).length, 1);
});

const PRINTING = { 'fimLsp.command': ['/bin/sh', '-c', 'echo Loading; exec sleep 60'] };
scenario('for a server that prints to its output, one message says so', { 'a.py': '' }, PRINTING, async (w) => {
  await w.status(/^error$/);
  await w.expectNotification(/does not speak the protocol: it wrote "Loading" to its standard output/);
  assert.equal((await w.notifications()).length, 1);
});

const DYING = { 'fimLsp.command': ['/bin/sh', '-c', 'echo "no model today" >&2; exit 1'] };
scenario('for a server that dies at its start, the message has its last line', { 'a.py': '' }, DYING, async (w) => {
  await w.status(/^error$/);
  await w.expectNotification(/The server ended with exit code 1: no model today/);
  assert.equal((await w.notifications()).length, 1);
  await w.screenshot('dies-at-start');
  await w.button('Show Output');
  // A panel that is asked for while a busy machine still draws the workbench may not come; a person then clicks the
  // item in the status bar.
  await until('no output', async () => {
    const output = w.page.locator('.output-view-container, .panel .output');
    if (await output.count() === 0) await output.first().waitFor({ timeout: 5000 }).catch(() => w.clickStatus());
    return output.count();
  }, (count) => count > 0);
});

test('a button installs the server, with progress and a message when the packages cannot be had', async () => {
  const bare = join(editor.folder, 'bare');
  execFileSync(PYTHON, ['-m', 'venv', bare]);
  const window = await editor.open({ 'a.py': '' }, { 'fimLsp.interpreter': join(bare, 'bin/python') });
  try {
    await withScreenshot(window, 'install', async () => {
      await window.status(/^set up$/);
      await window.expectNotification(/One step is left: install the server\. .* made with Python/);
      await window.screenshot('not-installed');
      await window.button('Install');
      await window.expectNotification(/Making a virtual environment/);
      await window.screenshot('installing');
      await window.expectNotification(/The package index cannot be reached, and the packages are not on this machine/);
      await window.status(/^error$/);
      assert.equal((await window.notifications()).length, 1);
      await window.screenshot('cannot-install');
    });
  } finally {
    await window.close();
  }
});

async function ended(child: ChildProcess): Promise<void> {
  const gone = new Promise((done) => child.once('exit', done));
  child.kill();
  await gone;
}
