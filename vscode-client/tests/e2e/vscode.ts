/** Drives real VS Code (code-server) in Chromium: one process of each, a page for each window. */

import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { chromium, type BrowserContext, type Frame, type Locator, type Page, type Request } from 'playwright-core';

/** Time limit of each wait; long, for a busy machine. */
export const TIMEOUT_MS = Number(process.env['FIM_LSP_TIMEOUT_MS'] ?? 60_000);

const FRAME_TIMEOUT_MS = 1_000;

const HERE = import.meta.dirname;
export const REPOSITORY = resolve(HERE, '../../..');
export const PYTHON = process.env['FIM_LSP_PYTHON'] ?? join(REPOSITORY, '.venv/bin/python');
export const SCRIPTED = [PYTHON, join(HERE, 'scripted_model.py')];
export const ARTIFACTS = join(REPOSITORY, 'vscode-client/artifacts');
const VSIX = join(REPOSITORY, 'vscode-client/dist/fim-lsp.vsix');

const TEST_SETTINGS = {
  'telemetry.telemetryLevel': 'off',
  'workbench.startupEditor': 'none',
  'workbench.reduceMotion': 'on', // pictures of messages that are still on their way show little
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'security.workspace.trust.enabled': false,
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'chat.disableAIFeatures': true, // of VS Code's own; ghost text of extensions is not touched
  'git.enabled': false,
  'editor.minimap.enabled': false,
  'window.commandCenter': false,
  'fimLsp.offerModels': false,
};

/** Settings of most tests, which are about ghost text alone. */
const WITHOUT_POPUP = {
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.wordBasedSuggestions': 'off',
};

const RESTRICTED = { 'security.workspace.trust.enabled': true, 'security.workspace.trust.startupPrompt': 'never' };

/** VS Code takes some settings from the machine where extensions run, not from the user. */
const MACHINE_SETTINGS = { 'workbench.welcomePage.walkthroughs.openOnInstall': false };

/** The folder that `tests/editors/vscode/install.sh` filled. */
function installed(): string {
  const folder = process.env['FIM_LSP_VSCODE'];
  assert.ok(folder, 'VS Code is not installed for the tests; run them with: make test-vscode');
  return folder;
}

export async function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      assert.ok(typeof address === 'object' && address !== null);
      probe.close(() => { done(address.port); });
    });
  });
}

/** Tells whether something listens at a port of this machine. */
export async function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = connect(port, '127.0.0.1', () => { probe.end(() => { done(true); }); });
    probe.on('error', () => { done(false); });
  });
}

/** Calls `look` until its result is good, and returns that; fails with the last result after the time limit. */
export async function until<T>(what: string, look: () => T | Promise<T>, isGood: (seen: T) => boolean): Promise<T> {
  const end = Date.now() + TIMEOUT_MS;
  for (;;) {
    const seen = await look();
    if (isGood(seen)) return seen;
    if (Date.now() > end) assert.fail(`${what}; at last there was ${JSON.stringify(seen)}`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

/** How `Editor.launch` differs from its defaults. */
interface LaunchOptions {
  readonly settings?: object;
  readonly machineSettings?: object;
  readonly env?: Record<string, string>;
  /** No folder is trusted, and the user is asked about none. */
  readonly restricted?: boolean;
  /** VS Code suggests words while the user types, as it does by default. */
  readonly popup?: boolean;
}

/** A running VS Code and a browser for it. */
export class Editor {
  readonly folder: string;
  /** Hosts other than this machine that a page sent requests to. */
  readonly outside = new Set<string>();
  private readonly process: ChildProcess;
  private readonly port: number;
  private readonly browser: BrowserContext;

  private constructor(folder: string, process: ChildProcess, port: number, browser: BrowserContext) {
    this.folder = folder;
    this.process = process;
    this.port = port;
    this.browser = browser;
    browser.on('requestfinished', (request) => void this.check(request));
    browser.on('requestfailed', (request) => void this.check(request));
  }

  private async check(request: Request): Promise<void> {
    const host = new URL(request.url()).hostname;
    if (host === '' || host === '127.0.0.1') return;
    // VS Code gives resources of webviews a host that does not exist; a service worker in the page answers for it.
    const response = await request.response().catch(() => null);
    if (response?.fromServiceWorker() !== true) this.outside.add(host);
  }

  /** Starts VS Code with the packaged extension and no other. */
  static async launch(options: LaunchOptions = {}): Promise<Editor> {
    const folder = mkdtempSync(join(tmpdir(), 'fim-lsp-vscode-'));
    const node = join(installed(), 'bin/node');
    const entry = join(installed(), 'node_modules/code-server/out/node/entry.js');
    const nowhere = 'http://127.0.0.1:9/';
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      XDG_STATE_HOME: join(folder, 'state'),
      XDG_DATA_HOME: join(folder, 'data-home'),
      OMP_NUM_THREADS: '1',
      EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: nowhere, itemUrl: nowhere, resourceUrlTemplate: nowhere }),
      ...options.env,
    };
    for (const name of ['VSCODE_IPC_HOOK_CLI', 'ELECTRON_RUN_AS_NODE', 'NODE_OPTIONS', 'NODE_TEST_CONTEXT']) {
      Reflect.deleteProperty(env, name);
    }
    writeFileSync(join(folder, 'code-server.yaml'), '{}\n');
    const settings = {
      ...TEST_SETTINGS,
      ...(options.popup === true ? {} : WITHOUT_POPUP),
      ...(options.restricted === true ? RESTRICTED : {}),
      ...options.settings,
    };
    writeInto(folder, 'data/User/settings.json', JSON.stringify(settings, null, 1));
    const where = [
      '--config', join(folder, 'code-server.yaml'),
      '--user-data-dir', join(folder, 'data'),
      '--extensions-dir', join(folder, 'extensions'),
    ];
    const machineSettings = { ...MACHINE_SETTINGS, ...options.machineSettings };
    writeInto(folder, 'data/Machine/settings.json', JSON.stringify(machineSettings));
    execFileSync(node, [entry, ...where, '--install-extension', VSIX], { env, stdio: 'pipe' });
    const port = await freePort();
    const log = openSync(join(folder, 'code-server.log'), 'a');
    const child = spawn(node, [
      entry, ...where, '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`,
      '--disable-telemetry', '--disable-update-check', '--disable-getting-started-override', '--disable-proxy',
      ...(options.restricted === true ? [] : ['--disable-workspace-trust']),
      // Else the extension host and its server outlive a closed page by three hours.
      '--reconnection-grace-time', '1',
    ], { env, stdio: ['ignore', log, log], detached: true });
    // Also when a test run is broken off.
    process.once('exit', () => {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    });
    await until('VS Code did not start', () => isUp(port), Boolean);
    const executablePath = process.env['CHROMIUM'] ?? readFileSync(join(installed(), 'browser'), 'utf8').trim();
    const browser = await chromium.launchPersistentContext(join(folder, 'browser'), {
      executablePath,
      headless: true,
      viewport: { width: 1200, height: 700 },
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    });
    browser.setDefaultTimeout(TIMEOUT_MS);
    return new Editor(folder, child, port, browser);
  }

  /** Opens a window on a new folder with these files and settings, showing the first file. */
  async open(files: Record<string, string>, settings: object = {}): Promise<Window> {
    const folder = mkdtempSync(join(this.folder, 'workspace-'));
    for (const [name, text] of Object.entries(files)) writeInto(folder, name, text);
    writeInto(folder, '.vscode/settings.json', JSON.stringify(settings, null, 1));
    const page = await this.browser.newPage();
    const [first] = Object.keys(files);
    const uri = `vscode-remote://127.0.0.1:${this.port}${folder}/${first ?? ''}`;
    const payload = JSON.stringify([['skipWelcome', 'true'], ...(first === undefined ? [] : [['openFile', uri]])]);
    const window = new Window(page, folder);
    const query = `folder=${encodeURI(folder)}&payload=${encodeURIComponent(payload)}`;
    await page.goto(`http://127.0.0.1:${this.port}/?${query}`);
    return window;
  }

  /** Returns the process ids of all servers that were started. */
  servers(): Set<number> {
    return new Set([...this.output().matchAll(/server process (\d+) started/g)].map((match) => Number(match[1])));
  }

  /** Returns what the extension wrote to its output, in all windows. */
  output(): string {
    return globSync(join(this.folder, 'data/logs/**/*FIM LSP.log')).map((file) => readFileSync(file, 'utf8')).join('');
  }

  async close(): Promise<void> {
    await this.browser.close();
    const { process: child } = this;
    if (child.exitCode === null && child.pid !== undefined) {
      const gone = new Promise((done) => child.once('exit', done));
      process.kill(-child.pid, 'SIGTERM');
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** A window as a person uses it: keys, the screen, and the files on disk. */
export class Window {
  readonly page: Page;
  readonly folder: string;
  private readonly statusItem: Locator;

  constructor(page: Page, folder: string) {
    this.page = page;
    this.folder = folder;
    this.statusItem = page.locator('[id="fim-lsp.fim-lsp.fimLsp.status"] [aria-label^="FIM LSP"]');
  }

  /** Waits until the status bar says `expected` after "FIM LSP: ", and returns that. */
  async status(expected: RegExp): Promise<string> {
    return until(`the status never was ${expected.source}`, () => this.label(), (seen) => expected.test(seen));
  }

  async clickStatus(): Promise<void> {
    await this.statusItem.first().click();
  }

  /** Waits until the menu of the status bar names a model as the one that runs. */
  async expectModel(name: string): Promise<void> {
    const title = async (): Promise<string> => {
      await this.press('Escape');
      await this.clickStatus();
      return this.page.locator('.quick-input-title').innerText();
    };
    await until(`${name} was never used`, title, (seen) => seen.includes(`: ${name} on `));
    const menu = this.page.locator('.quick-input-title');
    await until('the menu stays open', async () => {
      await this.press('Escape');
      return menu.isVisible();
    }, (isOpen) => !isOpen);
  }

  private async label(): Promise<string> {
    if (await this.statusItem.count() === 0) return '';
    return ((await this.statusItem.first().getAttribute('aria-label')) ?? '').replace('FIM LSP: ', '');
  }

  /** Focuses the text and moves the cursor to the end of the file. */
  async focusEnd(): Promise<void> {
    const text = this.page.locator('.editor-instance .monaco-editor .view-lines').first();
    // A menu that was asked for before may open only now, and would lie above the text.
    await until('something lies above the text', async () => {
      if (await this.page.locator('.quick-input-widget').isVisible()) await this.press('Escape');
      return text.click({ timeout: 2000 }).then(() => '', (error: unknown) => String(error));
    }, (message) => message === '');
    await this.press('Control+End');
  }

  /** Moves the cursor; both numbers count from 1. */
  async goTo(line: number, column: number): Promise<void> {
    await this.press('Control+g');
    await this.page.locator('.quick-input-widget input').fill(`:${line}:${column}`);
    await this.press('Enter');
  }

  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text, { delay: 30 });
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Returns all ghost text: the rest of the line, then further lines. */
  async ghost(): Promise<string> {
    const seen = await this.page.evaluate(() => {
      const texts = (selector: string): string[] =>
        [...document.querySelectorAll(selector)].map((element) => element.textContent);
      return {
        line: texts('.monaco-editor .ghost-text-decoration, .monaco-editor .ghost-text-decoration-preview').join(''),
        further: texts('.monaco-editor .suggest-preview-text .view-line'),
      };
    });
    return [seen.line, ...seen.further].join('\n').replaceAll('\u00a0', ' ').replaceAll('\u200c', '');
  }

  /** Returns the selected entry of VS Code's own popup; empty while it is closed. */
  async popup(): Promise<string> {
    const rows = this.page.locator('.suggest-widget.visible .monaco-list-row.focused .label-name');
    return (await rows.allTextContents()).join('');
  }

  async expectGhost(expected: string): Promise<void> {
    const what = `the ghost text never was ${JSON.stringify(expected)}`;
    await until(what, () => this.ghost(), (seen) => seen === expected);
  }

  /** Runs a command by its whole title from the palette. */
  async command(title: string): Promise<void> {
    await this.press('F1');
    const input = this.page.locator('.quick-input-widget input');
    await input.waitFor();
    await input.fill(`>${title}`);
    const label = this.page.getByText(title, { exact: true });
    await this.page.locator('.quick-input-list .monaco-list-row').filter({ has: label }).first().click();
  }

  /** Explains the last suggestion, again while the text is not as expected, and returns the rendered text. */
  async expectExplanation(expected: RegExp): Promise<string> {
    const read = async (): Promise<string> => {
      const text = await this.explanation();
      if (text !== '' && !expected.test(text)) await this.explain();
      return text;
    };
    await this.explain();
    return until(`no explanation ${expected.source}`, read, (text) => expected.test(text));
  }

  /** Asks for the explanation of the last suggestion. */
  async explain(): Promise<void> {
    await this.command('FIM LSP: Explain Last Suggestion');
  }

  /** Returns the rendered text of the explanation that is shown; empty where there is none. */
  async explanation(): Promise<string> {
    const texts = await Promise.all(this.page.frames().map(textOf));
    return texts.find((one) => one.trimStart().startsWith('Explain last suggestion')) ?? '';
  }

  /** Saves the file and waits for its text on the disk. */
  async expectSaved(name: string, expected: string): Promise<void> {
    await this.press('Control+s');
    await until(`${name} never was as expected`, () => this.read(name), (seen) => seen === expected);
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  write(name: string, text: string): void {
    writeInto(this.folder, name, text);
  }

  /** Returns the texts of the messages that VS Code shows. */
  async notifications(): Promise<string[]> {
    return this.page.locator('.notification-toast .notification-list-item-message').allTextContents();
  }

  async expectNotification(expected: RegExp): Promise<string> {
    const seen = await until(
      `no message ${expected.source}`, () => this.notifications(), (texts) => texts.some((text) => expected.test(text)),
    );
    return seen.find((text) => expected.test(text)) ?? '';
  }

  async button(name: string): Promise<void> {
    await this.page.locator('.notification-toast .monaco-button', { hasText: name }).click();
  }

  async clearNotifications(): Promise<void> {
    await this.command('Notifications: Clear All Notifications');
    await until('messages stay', () => this.notifications(), (texts) => texts.length === 0);
  }

  async screenshot(name: string): Promise<void> {
    mkdirSync(ARTIFACTS, { recursive: true });
    await this.page.screenshot({ path: join(ARTIFACTS, `${name}.png`) });
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}

/** Returns the text of a frame; none while the frame is being replaced. */
async function textOf(frame: Frame): Promise<string> {
  return frame.locator('body').innerText({ timeout: FRAME_TIMEOUT_MS }).catch(() => '');
}

/** Takes a picture of the window when a test fails. */
export async function withScreenshot<T>(window: Window, name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await window.screenshot(`failed-${name.replaceAll(/[^a-z0-9]+/gi, '-')}`);
    throw error;
  }
}

function writeInto(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

async function isUp(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
  } catch {
    return false;
  }
}

