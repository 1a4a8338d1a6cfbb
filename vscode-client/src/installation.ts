/**
 * Makes a private virtual environment and installs the server from the bundled wheel.
 *
 * The module does not import `vscode`.  Installation is tried without the network first, from the bundled wheel and
 * the wheels that pip is configured to find, and then from the package index.  A half-made environment is removed.
 */

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { lastLine } from './interpreter.ts';
import { t } from './l10n.ts';

/** A failed installation, in one sentence with the next step; the log has all that pip printed. */
export class InstallationError extends Error {}

/** Inputs of an installation, and where it reports to. */
export interface Installation {
  /** A Python with the module `venv`. */
  readonly base: string;
  /** Folder of the environment; an existing one is replaced. */
  readonly environment: string;
  /** Folder with the wheel of fim-lsp, and maybe with wheels of its dependencies. */
  readonly wheels: string;
  /** Receives the name of each step. */
  readonly report: (step: string) => void;
  /** Receives each line that venv and pip print. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Returns the path of the Python inside an environment. */
export function pythonOf(environment: string): string {
  return process.platform === 'win32'
    ? join(environment, 'Scripts', 'python.exe')
    : join(environment, 'bin', 'python');
}

/**
 * Makes the environment and installs the server.
 *
 * @returns the path of the environment's Python.
 * @throws InstallationError with what failed; an AbortError when the signal says so.
 */
export async function install(work: Installation): Promise<string> {
  const wheel = bundledWheel(work.wheels);
  rmSync(work.environment, { recursive: true, force: true });
  mkdirSync(dirname(work.environment), { recursive: true });
  try {
    work.report(t('Making a virtual environment'));
    const made = await run(work, work.base, ['-m', 'venv', work.environment]);
    if (!made.isGood) throw new InstallationError(whyNoEnvironment(work.base, made.output));

    const python = pythonOf(work.environment);
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off'];
    work.report(t('Looking for the packages on this machine'));
    const offline = await run(work, python, [...pip, '--no-index', '--find-links', work.wheels, wheel]);
    if (!offline.isGood) {
      if (isDamaged(offline.output)) throw new InstallationError(damaged(wheel));
      work.report(t('Fetching the packages'));
      const online = await run(work, python, [...pip, '--retries', '1', '--find-links', work.wheels, wheel]);
      if (!online.isGood) throw new InstallationError(whyNotInstalled(wheel, online.output));
    }
    return python;
  } catch (error) {
    rmSync(work.environment, { recursive: true, force: true });
    throw error;
  }
}

/** Deletes the environments that other versions of the extension have left beside one; each takes hundreds of MB. */
export function removeOlder(environment: string): void {
  const folder = dirname(environment);
  for (const name of readdirSync(folder)) {
    if (name.startsWith('server-') && name !== basename(environment)) {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}

/**
 * Returns the path of the server's wheel in a folder.
 *
 * @throws InstallationError if there is none: the extension was built without it.
 */
export function bundledWheel(folder: string): string {
  const name = existsSync(folder)
    ? readdirSync(folder).find((file) => /^fim_lsp-.*\.whl$/.test(file))
    : undefined;
  if (name === undefined) {
    throw new InstallationError(
      t('This build of the extension carries no server (no wheel in {0}). Install another build.', folder),
    );
  }
  return join(folder, name);
}

interface RunResult {
  readonly isGood: boolean;
  readonly output: string;
}

function run(work: Installation, program: string, args: readonly string[]): Promise<RunResult> {
  work.log(`> ${[program, ...args].join(' ')}`);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: dirname(work.environment),
      // Messages are recognised by their English text.
      env: { ...process.env, PYTHONUNBUFFERED: '1', LC_ALL: 'C.UTF-8' },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      signal: work.signal,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        output += text;
        for (const line of text.split(/\r?\n/).filter((part) => part.trim() !== '')) {
          work.log(line);
          const step = /^\s*((?:Collecting|Downloading|Processing|Installing) [^\s(]+)/.exec(line)?.[1];
          if (step !== undefined) work.report(shortened(step));
        }
      });
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.name === 'AbortError') reject(error);
      else resolve({ isGood: false, output: error.message });
    });
    child.once('close', (code) => {
      resolve({ isGood: code === 0, output });
    });
  });
}

function shortened(step: string): string {
  const [verb = '', what = ''] = step.split(' ');
  return verb === 'Installing' ? 'Installing' : `${verb} ${what.split(/[/\\]/).at(-1) ?? ''}`;
}

function whyNoEnvironment(base: string, output: string): string {
  if (/ensurepip|No module named venv/.test(output)) {
    return t('{0} cannot make virtual environments: its module venv is incomplete. On Debian and Ubuntu run: sudo ' +
      'apt install python3-venv, then try again.', base);
  }
  return t('No virtual environment could be made with {0}: {1}. Name another Python in fimLsp.interpreter.', base,
    detail(output));
}

const DAMAGE = /not a (?:valid|supported) wheel|is invalid|invalid wheel|BadZipFile|not a zip file|bad (?:wheel|CRC)/i;
const NETWORK_ERRORS = new RegExp([
  'NewConnectionError', 'Failed to establish', 'name resolution', 'ConnectTimeout', 'ProxyError', 'SSLError',
  'getaddrinfo', 'Connection (?:refused|reset)',
].join('|'));

function whyNotInstalled(wheel: string, output: string): string {
  if (isDamaged(output)) return damaged(wheel);
  if (/No space left/.test(output)) return t('The disk is full. Free about 260 MB and try again.');
  const python = /requires a different Python: (\S+) not in '?([^'\n]+)/.exec(output);
  if (python?.[1] !== undefined && python[2] !== undefined) {
    return t('Python {0} does not fit: fim-lsp needs {1}. Name another in fimLsp.interpreter.', python[1],
      python[2].trim());
  }
  if (NETWORK_ERRORS.test(output)) {
    return t('The package index cannot be reached, and the packages are not on this machine. Go online and try ' +
      'again, or put the wheels into a folder and set PIP_FIND_LINKS to it.');
  }
  const missing = /No matching distribution found for (\S+)/.exec(output)?.[1];
  if (missing !== undefined) {
    return t('pip finds no {0} for this Python and machine. Name another Python in fimLsp.interpreter.', missing);
  }
  return t('pip failed: {0}. The output has all that it printed.', detail(output));
}

function isDamaged(output: string): boolean {
  return DAMAGE.test(output);
}

function damaged(wheel: string): string {
  return t('The bundled wheel {0} is damaged. Reinstall the extension.', wheel);
}

function detail(output: string): string {
  const error = output.split(/\r?\n/).filter((line) => /error/i.test(line)).at(-1);
  return (error ?? lastLine(output) ?? t('it said nothing')).trim();
}
