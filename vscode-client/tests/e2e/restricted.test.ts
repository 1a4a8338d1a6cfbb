/** Tests in real VS Code what a folder may do in Restricted Mode. */

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Editor, SCRIPTED, until, withScreenshot } from './vscode.ts';

test('a folder that is not trusted is completed, but what it wants to run is not run', async () => {
  const editor = await Editor.launch({ restricted: true, machineSettings: { 'fimLsp.command': SCRIPTED } });
  try {
    const witness = join(editor.folder, 'the-folder-ran-this');
    const hostile = { 'fimLsp.command': ['/bin/sh', '-c', `touch ${witness}`], 'fimLsp.address': '127.0.0.1:9' };
    const window = await editor.open({ 'a.py': '' }, hostile);
    await withScreenshot(window, 'restricted', async () => {
      await window.page.locator('.statusbar-item', { hasText: 'Restricted Mode' }).waitFor();
      await window.status(/^ready/);
      await window.focusEnd();
      await window.type('total = ');
      await window.expectGhost('price * quantity + tax');
      await window.screenshot('restricted');
    });
    assert.ok(!existsSync(witness));
  } finally {
    await editor.close();
  }
});

test('a folder is indexed when it is trusted, and not before', async () => {
  const editor = await Editor.launch({ restricted: true, machineSettings: { 'fimLsp.command': SCRIPTED } });
  const looks = (): number => globSync(join(editor.folder, 'state/**/*.log'))
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/index of the workspace/g)]).length;
  try {
    const window = await editor.open({ 'a.py': '', 'b.py': 'def b(): ...\n' });
    await withScreenshot(window, 'trusted', async () => {
      await window.status(/^ready/);
      await window.focusEnd();
      await window.type('total = ');
      await window.expectGhost('price * quantity + tax');
      assert.equal(looks(), 0);
      await window.command('Workspaces: Manage Workspace Trust');
      await window.page.locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust$/ }).first().click();
      await until('the folder was not looked through', looks, (seen) => seen > 0);
      assert.equal(looks(), 1);
    });
  } finally {
    await editor.close();
  }
});
