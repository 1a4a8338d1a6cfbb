import assert from 'node:assert/strict';
import { test } from 'node:test';
import { view, type Facts, type ServerStatus, type State } from '../../src/status.ts';

const NOW = Date.UTC(2026, 0, 1);
const READY: ServerStatus = { state: 'ready', model: 'embedded-cpu', engine: 'ctranslate2', message: '' };
const running = (status: Partial<ServerStatus> = {}): Facts['life'] =>
  ({ kind: 'running', where: 'process 7', status: { ...READY, ...status } });
const FACTS: Facts = {
  life: running(),
  isEnabled: true,
  languages: {},
  snoozedUntil: 0,
  document: { languageId: 'python', scheme: 'file', excluded: '' },
};

const CASES: [string, Partial<Facts>, State, RegExp][] = [
  ['all is well', {}, 'ready', /embedded-cpu on ctranslate2.*process 7/],
  ['no file is open', { document: undefined }, 'ready', /embedded-cpu/],
  ['the model writes', { life: running({ state: 'busy' }) }, 'busy', /embedded-cpu/],
  ['the process starts', { life: { kind: 'starting', detail: 'looking' } }, 'starting', /looking/],
  ['the model loads', { life: running({ state: 'starting', message: 'loading big' }) }, 'starting', /loading big/],
  ['the server has not said anything', { life: { kind: 'running', status: undefined, where: 'process 7' } }, 'starting', /waiting/],
  ['the model does not load', { life: running({ state: 'error', message: 'no model big' }) }, 'error', /no model big/],
  ['an old model stays', { life: running({ message: 'no model big' }) }, 'ready', /no model big/],
  ['there is no server', { life: { kind: 'failed', message: 'No Python' } }, 'error', /No Python/],
  ['it is disabled', { isEnabled: false, life: running({ state: 'disabled' }) }, 'off', /fimLsp\.enabled is false/],
  ['it is snoozed', { snoozedUntil: NOW + 60_000 }, 'off', /snoozed until/],
  ['the snooze is over', { snoozedUntil: NOW }, 'ready', /embedded-cpu/],
  ['the language is off', { languages: { python: false } }, 'off', /languages switches python off/],
  ['the file is a secret', { document: { languageId: 'dotenv', scheme: 'file', excluded: 'excluded: .env' } }, 'off', /excluded: \.env/],
  ['the document is no file', { document: { languageId: 'log', scheme: 'output', excluded: '' } }, 'off', /only files on a disk/],
];
for (const [what, facts, state, tooltip] of CASES) {
  test(`${what}: ${state}`, () => {
    const seen = view({ ...FACTS, ...facts }, NOW);

    assert.equal(seen.state, state);
    assert.match(seen.tooltip.join(' '), tooltip);
    assert.match(seen.label, new RegExp(`^FIM LSP: ${state}`));
  });
}
