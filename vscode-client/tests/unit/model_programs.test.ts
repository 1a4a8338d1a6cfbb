import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelPrograms, parseSpeed } from '../../src/model_programs.ts';
import { PYTHON, temporaryFolder } from './programs.ts';

test('the models of this machine are listed, the embedded one first', async () => {
  const [first] = await new ModelPrograms(PYTHON, temporaryFolder()).list();

  assert.ok(first);
  assert.equal(first.name, 'default');
  assert.equal(first.problem, '');
  assert.ok(first.parameters > 1e6 && first.bytes > 1e6);
  assert.match(first.sha256, /^[0-9a-f]{64}$/);
  assert.equal(first.isRemovable, false);
});

test('a Python without the server says what it lacks', async () => {
  await assert.rejects(new ModelPrograms('python3', temporaryFolder()).list(), /No module named model_runtime/);
});

test('a model that is not there is not removed, and the sentence of the program says so', async () => {
  await assert.rejects(new ModelPrograms(PYTHON, temporaryFolder()).remove('nonsense'), /no added model .*nonsense/);
});

test('a report of a model that runs gives its speed', () => {
  const speed = parseSpeed('{"ok": true, "first_token_ms": 68.6, "tokens_per_second": 301.4, "problems": []}');

  assert.deepEqual(speed, { firstTokenMs: 68.6, tokensPerSecond: 301.4 });
});

test('a model that does not run says why', () => {
  const problems = [{ problem: 'no memory', remedy: '' }];
  const report = { ok: false, first_token_ms: 0, tokens_per_second: 0, problems };

  assert.throws(() => parseSpeed(JSON.stringify(report)), /^Error: no memory$/);
});
