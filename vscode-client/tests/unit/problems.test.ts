import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProblems } from '../../src/problems.ts';
import type { ServerStatus, StatusFacts } from '../../src/status.ts';

const NOW = Date.UTC(2026, 0, 1);
const READY: ServerStatus = { state: 'ready', model: 'embedded', engine: 'onnx', message: '' };
const running = (status: Partial<ServerStatus> = {}): StatusFacts['process'] =>
  ({ kind: 'running', where: 'process 7', status: { ...READY, ...status } });
const document = (given: object): StatusFacts['document'] =>
  ({ languageId: 'go', scheme: 'file', state: 'active', message: '', ...given });
const FACTS: StatusFacts = { process: running(), snoozedUntil: 0, document: document({}), lastAnswer: undefined };

const CASES: [string, Partial<StatusFacts>, RegExp, string, boolean][] = [
  ['the server is not installed', { process: { kind: 'failed', message: 'One step is left', isSetUpMissing: true } },
    /One step/, 'fimLsp.install', true],
  ['the server has failed', { process: { kind: 'failed', message: 'It ended' } }, /It ended/, 'fimLsp.restart', true],
  ['the model does not load', { process: running({ state: 'error', message: 'no model' }) }, /no model/,
    'fimLsp.selectModel', true],
  ['another model stands in', { process: running({ warning: 'no model big; using default' }) }, /no model big/,
    'fimLsp.selectModel', false],
  ['suggestions are disabled', { process: running({ state: 'disabled' }) }, /turned off\./, 'fimLsp.toggle', true],
  ['they are snoozed', { snoozedUntil: NOW + 60_000 }, /snoozed/, 'fimLsp.endSnooze', true],
  ['the language is off', { document: document({ state: 'disabled', message: 'x' }) }, /turned off for go/,
    'fimLsp.toggleLanguage', true],
  ['the file is excluded', { document: document({ state: 'excluded', message: 'a secret' }) }, /a secret/,
    'workbench.action.openSettings', true],
  ['the model is rarely right here', { document: document({ state: 'onRequest' }) }, /rarely right in go/,
    'fimLsp.selectModel', true],
];
for (const [what, facts, sentence, command, isBlocking] of CASES) {
  test(`while ${what}, a problem says so, and its first button runs ${command}`, () => {
    const [problem] = findProblems({ ...FACTS, ...facts }, NOW);

    assert.match(problem?.sentence ?? '', sentence);
    assert.equal(problem?.actions[0]?.command, command);
    assert.equal(problem.isBlocking, isBlocking);
  });
}

test('where all is well, and in a document that is no file, there is no problem', () => {
  for (const one of [document({}), document({ scheme: 'output' }), undefined]) {
    assert.deepEqual(findProblems({ ...FACTS, document: one }, NOW), []);
  }
});
