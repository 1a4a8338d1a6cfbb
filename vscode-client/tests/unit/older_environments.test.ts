import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeOlder } from '../../src/installation.ts';
import { temporaryFolder } from './programs.ts';

test('an installation removes the environments of other versions beside it, and nothing else', () => {
  const folder = temporaryFolder();
  for (const name of ['server-0.1.0', 'server-0.2.0', 'empty']) {
    mkdirSync(join(folder, name, 'bin'), { recursive: true });
  }

  removeOlder(join(folder, 'server-0.2.0'));

  assert.deepEqual(readdirSync(folder).sort(), ['empty', 'server-0.2.0']);
});
