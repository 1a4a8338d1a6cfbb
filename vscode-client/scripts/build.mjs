// Bundle the extension into one file, and beside it the script that runs after it was removed.
import { copyFileSync } from 'node:fs';
import { build } from 'esbuild';

await build({
  entryPoints: { extension: 'src/extension.ts', uninstall: 'src/uninstall_main.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
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
