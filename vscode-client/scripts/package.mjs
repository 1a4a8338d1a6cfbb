// Build the wheel of the server and the .vsix around it.
//   npm run package [-- --without-wheel] [-- --target linux-x64]     PYTHON names the Python that builds the wheel
// With a target the package is offered on that platform alone; the release has one for each that the server supports.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createVSIX } from '@vscode/vsce';

const MAX_BYTES = 1_000_000; // besides the wheel

process.chdir(new URL('..', import.meta.url).pathname);
const local = '../.venv/bin/python';
const { values: options } = parseArgs({
  options: { 'without-wheel': { type: 'boolean' }, target: { type: 'string' } },
});
const python = process.env.PYTHON ?? (existsSync(local) ? local : 'python3');

rmSync('wheels', { recursive: true, force: true });
mkdirSync('wheels');
if (!options['without-wheel']) {
  const pip = ['-m', 'pip', 'wheel', '--quiet', '--disable-pip-version-check', '--no-deps'];
  execFileSync(python, [...pip, '--wheel-dir', 'wheels', '..'], { stdio: 'inherit' });
}
mkdirSync('dist', { recursive: true });
const vsix = options.target ? `dist/fim-lsp-${options.target}.vsix` : 'dist/fim-lsp.vsix';
await createVSIX({ dependencies: false, packagePath: vsix, githubBranch: 'main', target: options.target });

const wheels = readdirSync('wheels').reduce((sum, name) => sum + statSync(`wheels/${name}`).size, 0);
const rest = statSync(vsix).size - wheels;
console.log(`${vsix}: ${(rest / 1e6).toFixed(2)} MB and the wheel of ${(wheels / 1e6).toFixed(1)} MB`);
if (rest > MAX_BYTES) {
  console.error(`the extension without the wheel is larger than ${MAX_BYTES / 1e6} MB; look at .vscodeignore`);
  process.exit(1);
}
