/**
 * Makes a private virtual environment with the server of the bundled wheel.
 *
 * Knows nothing of VS Code.  First without the network, from the bundled wheel and whatever wheels pip is told of;
 * only if that fails, from the package index.  A half-made environment is removed.
 */

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lastLine } from './interpreter.ts';

/** An installation that failed, in one sentence with the next step; the log has all that pip said. */
export class InstallationError extends Error {}

export interface Installation {
  /** A Python with the module `venv`. */
  readonly base: string;
  /** The folder of the environment; what is there is replaced. */
  readonly environment: string;
  /** The folder with the wheel of fim-lsp, and maybe with those that it needs. */
  readonly wheels: string;
  /** Called with what is being done. */
  readonly report: (step: string) => void;
  /** Called with each line that venv and pip print. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The Python inside an environment. */
export function pythonOf(environment: string): string {
  return process.platform === 'win32'
    ? join(environment, 'Scripts', 'python.exe')
    : join(environment, 'bin', 'python');
}

/**
 * Make the environment and install the server.
 *
 * @returns its Python.
 * @throws InstallationError with what failed; an AbortError when the signal says so.
 */
export async function install(work: Installation): Promise<string> {
  const wheel = bundledWheel(work.wheels);
  rmSync(work.environment, { recursive: true, force: true });
  mkdirSync(dirname(work.environment), { recursive: true });
  try {
    work.report('Making a virtual environment');
    const made = await run(work, work.base, ['-m', 'venv', work.environment]);
    if (!made.isGood) throw new InstallationError(whyNoEnvironment(work.base, made.output));

    const python = pythonOf(work.environment);
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off'];
    work.report('Looking for the packages on this machine');
    const offline = await run(work, python, [...pip, '--no-index', '--find-links', work.wheels, wheel]);
    if (!offline.isGood) {
      if (isDamaged(offline.output)) throw new InstallationError(damaged(wheel));
      work.report('Fetching the packages');
      const online = await run(work, python, [...pip, '--retries', '1', '--find-links', work.wheels, wheel]);
      if (!online.isGood) throw new InstallationError(whyNotInstalled(wheel, online.output));
    }
    return python;
  } catch (error) {
    rmSync(work.environment, { recursive: true, force: true });
    throw error;
  }
}

/**
 * The wheel of the server in a folder.
 *
 * @throws InstallationError if there is none: the extension was built without it.
 */
export function bundledWheel(folder: string): string {
  const name = existsSync(folder)
    ? readdirSync(folder).find((file) => /^fim_lsp-.*\.whl$/.test(file))
    : undefined;
  if (name === undefined) {
    throw new InstallationError(
      `This build of the extension carries no server (no wheel in ${folder}). Run: pip install fim-lsp`,
    );
  }
  return join(folder, name);
}

function run(work: Installation, program: string, args: readonly string[]): Promise<{ isGood: boolean; output: string }> {
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
    return `${base} cannot make virtual environments: its module venv is incomplete. ` +
      'On Debian and Ubuntu run: sudo apt install python3-venv, then try again.';
  }
  return `No virtual environment could be made with ${base}: ${detail(output)}`;
}

function whyNotInstalled(wheel: string, output: string): string {
  if (isDamaged(output)) return damaged(wheel);
  if (/No space left/.test(output)) return 'The disk is full. Free about 300 MB and try again.';
  const python = /requires a different Python: (\S+) not in '?([^'\n]+)/.exec(output);
  if (python?.[1] !== undefined && python[2] !== undefined) {
    return `Python ${python[1]} does not fit: fim-lsp needs ${python[2].trim()}. Name another in fimLsp.interpreter.`;
  }
  if (/NewConnectionError|Failed to establish|name resolution|ConnectTimeout|ProxyError|SSLError|getaddrinfo|Connection (?:refused|reset)/.test(output)) {
    return 'The package index cannot be reached, and the packages are not on this machine. Go online and try again, ' +
      'or put the wheels into a folder and set PIP_FIND_LINKS to it.';
  }
  const missing = /No matching distribution found for (\S+)/.exec(output)?.[1];
  if (missing !== undefined) {
    return `pip finds no ${missing} for this Python and machine. Name another Python in fimLsp.interpreter.`;
  }
  return `pip failed: ${detail(output)}`;
}

function isDamaged(output: string): boolean {
  return /is not a (?:valid|supported) wheel|is invalid|BadZipFile|not a zip file|bad (?:wheel|CRC)|Invalid wheel/i.test(output);
}

function damaged(wheel: string): string {
  return `The bundled wheel ${wheel} is damaged. Reinstall the extension.`;
}

function detail(output: string): string {
  const error = output.split(/\r?\n/).filter((line) => /error/i.test(line)).at(-1);
  return (error ?? lastLine(output) ?? 'it said nothing').trim();
}
