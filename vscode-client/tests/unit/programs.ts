/** Makes small real programs that stand for what users have. */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/** Makes a folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fim-lsp-unit-'));
  after(() => { rmSync(folder, { recursive: true, force: true }); });
  return folder;
}

/** Makes an executable shell script and returns its path. */
export function script(folder: string, name: string, lines: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Python of the repository's environment, which has the server. */
export const PYTHON = process.env['FIM_LSP_PYTHON'] ?? join(import.meta.dirname, '../../../.venv/bin/python');
