// Bundle the extension into one file, and put the example of the first steps beside it.
import { copyFileSync } from 'node:fs';
import { build } from 'esbuild';

await build({
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.cjs',
  bundle: true,
  minify: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['vscode'],
  legalComments: 'inline',
  logLevel: 'warning',
});
copyFileSync('../examples/inventory.py', 'dist/example.py');
