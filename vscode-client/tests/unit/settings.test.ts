import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  changeForServer, expandPath, isLanguageEnabled, parseLanguages, parseSettings, serveOptions, settingsForServer,
  withLanguageToggled, type Languages,
} from '../../src/settings.ts';

test('values of the wrong type count as not set', () => {
  const wrong: Record<string, unknown> = { interpreter: 7, command: 'fim-lsp', address: null };

  assert.deepEqual(parseSettings((key) => wrong[key], undefined), { interpreter: '', command: [], address: '' });
});

test('in paths the home and the workspace folder are expanded', () => {
  assert.equal(expandPath('~/venv/bin/python', undefined), join(homedir(), 'venv/bin/python'));
  assert.equal(expandPath('${workspaceFolder}/.venv/bin/python', '/work'), '/work/.venv/bin/python');
  assert.equal(expandPath('/home/~me/python', undefined), '/home/~me/python');
});

const TOGGLES: [string, Languages, Languages][] = [
  ['is switched off', {}, { python: false }],
  ['is switched on again, and nothing remains', { python: false }, {}],
  ['is an exception to "*"', { '*': false }, { '*': false, python: true }],
  ['stops being one', { '*': false, python: true }, { '*': false }],
  ['leaves the others alone', { markdown: false }, { markdown: false, python: false }],
];
for (const [what, before, after] of TOGGLES) {
  test(`a language ${what}`, () => {
    assert.deepEqual(withLanguageToggled(before, 'python'), after);
    assert.notEqual(isLanguageEnabled(before, 'python'), isLanguageEnabled(after, 'python'));
  });
}

test('a list of languages switches them off', () => {
  assert.deepEqual(parseLanguages(['markdown']), { markdown: false });
});

test('a folder that is not trusted is not indexed, whichever way the settings go', () => {
  const settings = { workspaceIndex: true, model: 'm' };
  const restricted = { workspaceIndex: false, offerModels: false, model: 'm' };

  assert.deepEqual(settingsForServer(settings, true), settings);
  assert.deepEqual(settingsForServer(settings, false), restricted);
  assert.deepEqual(settingsForServer({}, false), { workspaceIndex: false, offerModels: false });
  assert.deepEqual(changeForServer({ settings: { fimLsp: settings } }, true), { settings: { fimLsp: settings } });
  assert.deepEqual(changeForServer({ settings: { fimLsp: settings } }, false), { settings: { fimLsp: restricted } });
});

const WITHOUT_OURS = [
  undefined, null, {}, { settings: null }, { settings: { fimLsp: null } }, { settings: { other: 1 } },
];
for (const params of WITHOUT_OURS) {
  test(`a push of ${JSON.stringify(params)} is passed on as it is`, () => {
    assert.deepEqual(changeForServer(params, false), params);
  });
}

for (const [address, option] of [
  ['127.0.0.1:9275', '--tcp'],
  ['localhost:1', '--tcp'],
  ['[::1]:65535', '--tcp'],
  ['/run/user/1000/fim-lsp/server.sock', '--socket'],
  ['/folder:1/server.sock:2', '--socket'],
] as const) {
  test(`a server listens at ${address} with ${option}`, () => {
    assert.deepEqual(serveOptions(address), [option, address]);
  });
}
