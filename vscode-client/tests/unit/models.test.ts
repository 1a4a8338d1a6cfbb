import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listModels, parseSpeed, formatSize, formatSpeed } from '../../src/models.ts';
import { PYTHON, temporaryFolder } from './programs.ts';

test('the models of this machine are listed with their size', async () => {
  const [first] = await listModels(PYTHON, temporaryFolder());

  assert.ok(first);
  assert.equal(first.name, 'default');
  assert.match(formatSize(first), /^\d+\.\d M parameters, \d+ MB$/);
  assert.match(first.sha256, /^[0-9a-f]{64}$/);
});

test('a Python without the server says what it lacks', async () => {
  await assert.rejects(listModels('python3', temporaryFolder()), /No module named model_runtime/);
});

test('a measured speed is formatted for one line of a list', () => {
  const speed = parseSpeed('{"ok": true, "first_token_ms": 68.6, "tokens_per_second": 301.4, "problems": []}');

  assert.equal(formatSpeed(speed), 'first token in 69 ms, then 301 per second here');
});

test('a model that does not run says why', () => {
  const problems = [{ problem: 'no memory', remedy: '' }];
  const report = { ok: false, first_token_ms: 0, tokens_per_second: 0, problems };

  assert.throws(() => parseSpeed(JSON.stringify(report)), /^Error: no memory$/);
});
