/** Restricted Mode: what a folder that nobody trusts may do in real VS Code. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Editor, SCRIPTED, shown } from './vscode.ts';

test('a folder that is not trusted is completed, but what it wants to run is not run', async () => {
  const editor = await Editor.launch({ restricted: true, machineSettings: { 'fimLsp.command': SCRIPTED } });
  try {
    const witness = join(editor.folder, 'the-folder-ran-this');
    const hostile = { 'fimLsp.command': ['/bin/sh', '-c', `touch ${witness}`], 'fimLsp.address': '127.0.0.1:9' };
    const window = await editor.open({ 'a.py': '' }, hostile);
    await shown(window, 'restricted', async () => {
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
