/** Leaves word for the script that VS Code runs after the extension was removed: it knows no folder but its own. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Name of the file with the note, in the folder of the extension. */
export const NOTE = 'private-environments.json';

/** Notes which folder holds private environments of the extension. */
export function noteForUninstall(extensionFolder: string, storageFolder: string): void {
  writeFileSync(join(extensionFolder, NOTE), JSON.stringify({ folder: storageFolder }));
}
