import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeOlder } from '../../src/installation.ts';
import { removeEnvironments } from '../../src/uninstall.ts';
import { noteForUninstall } from '../../src/uninstall_note.ts';
import { temporaryFolder } from './programs.ts';

function storage(...names: string[]): string {
  const folder = temporaryFolder();
  for (const name of names) mkdirSync(join(folder, name, 'bin'), { recursive: true });
  return folder;
}

test('after the extension is gone, so are its private environments, and nothing else', () => {
  const [extension, folder] = [temporaryFolder(), storage('server-0.1.0', 'server-0.2.0', 'empty')];
  noteForUninstall(extension, folder);

  removeEnvironments(extension);

  assert.deepEqual(readdirSync(folder), ['empty']);
});

test('where nothing was installed, nothing is deleted', () => {
  assert.deepEqual(removeEnvironments(temporaryFolder()), []);
  const extension = temporaryFolder();
  noteForUninstall(extension, join(extension, 'gone'));
  assert.deepEqual(removeEnvironments(extension), []);
});

test('the script that package.json names finds the note of its own extension', () => {
  const [extension, folder] = [temporaryFolder(), storage('server-0.1.0')];
  noteForUninstall(extension, folder);
  const source = join(import.meta.dirname, '../../src/uninstall_main.ts');
  mkdirSync(join(extension, 'dist'));
  const script = join(extension, 'dist/uninstall.mjs');
  writeFileSync(script, `import ${JSON.stringify(source)};\n`);

  execFileSync(process.execPath, [script]);

  assert.ok(!existsSync(join(folder, 'server-0.1.0')));
});

test('an installation removes the environments of older versions beside it', () => {
  const folder = storage('server-0.1.0', 'server-0.2.0', 'empty');

  removeOlder(join(folder, 'server-0.2.0'));

  assert.deepEqual(readdirSync(folder).sort(), ['empty', 'server-0.2.0']);
});
