/** Deletes the private environments of the extension, after it was removed. */

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { NOTE } from './uninstall_note.ts';

/** Deletes the environments that the note in the extension's folder names; returns the folders that are gone. */
export function removeEnvironments(extensionFolder: string): string[] {
  const note = join(extensionFolder, NOTE);
  if (!existsSync(note)) return [];
  const { folder } = JSON.parse(readFileSync(note, 'utf8')) as { folder: string };
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('server-')) : [];
  const gone = names.map((name) => join(folder, name));
  for (const environment of gone) rmSync(environment, { recursive: true, force: true });
  return gone;
}
