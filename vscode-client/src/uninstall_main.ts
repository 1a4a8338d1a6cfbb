/** The script `vscode:uninstall`, which VS Code runs as `node DIST/uninstall.cjs`, without its own interface. */

import { dirname } from 'node:path';
import { removeEnvironments } from './uninstall.ts';

const [, script = ''] = process.argv;
removeEnvironments(dirname(dirname(script)));
