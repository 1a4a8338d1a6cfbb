/**
 * Finds a Python that can run the server, and explains why none was found.
 *
 * The module does not import `vscode`.  Each candidate is run once and asked for its version and for the packages of
 * the server that it lacks.  Engines are not among these packages: which one is needed depends on the model, and the
 * server reports a missing one itself.
 */

import { execFile } from 'node:child_process';
import { lstatSync, readlinkSync } from 'node:fs';
import { t } from './l10n.ts';

/** The `requires-python` of the server; a test compares the two. */
export const MIN_PYTHON = '3.10';

/** What the private environment takes on the disk. */
const INSTALLED_MB = 260;

const PROBE_TIMEOUT_MS = 30_000;

/** A Python to try, and where its path came from. */
export interface Candidate {
  readonly path: string;
  readonly origin: 'setting' | 'python extension' | 'private' | 'PATH';
}

/** The result of running one candidate. */
export type ProbeResult =
  | { readonly kind: 'usable'; readonly version: string }
  | { readonly kind: 'incomplete'; readonly version: string; readonly missing: readonly string[] }
  | { readonly kind: 'old'; readonly version: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'broken'; readonly why: string };

/** The first Python with the server, or a message for the user. */
export type SearchResult =
  | { readonly kind: 'found'; readonly candidate: Candidate; readonly version: string }
  | {
    readonly kind: 'not found';
    readonly message: string;
    /** A Python that can make a private environment. */
    readonly base: string | undefined;
    /** True where nothing is broken: the server was not installed yet. */
    readonly isSetUpMissing: boolean;
  };

// Python 2 understands it as well, so that an old one can state its version.  The marker tells the answer from what
// a site customization may print.
const PROBE_SCRIPT = `
import sys
names = ("fim_lsp", "model_runtime", "pygls", "lsprotocol", "tokenizers")
missing = []
if sys.version_info >= (3, 4):
    from importlib.util import find_spec
    missing = [name for name in names if find_spec(name) is None]
print("fim-lsp-probe %d.%d.%d %s" % (sys.version_info[:3] + (",".join(missing) or "-",)))
`;

/**
 * Runs a candidate and returns what it answered.
 *
 * @param folder the working folder; it must hold no Python files, because Python imports from there first.
 */
export function probe(path: string, folder: string, timeoutMs = PROBE_TIMEOUT_MS): Promise<ProbeResult> {
  const options = { cwd: folder, timeout: timeoutMs, windowsHide: true };
  return new Promise((resolve) => {
    execFile(path, ['-c', PROBE_SCRIPT], options, (error, stdout, stderr) => {
      const answer = /^fim-lsp-probe (\S+) (\S+)\s*$/m.exec(stdout);
      if (answer?.[1] !== undefined && answer[2] !== undefined) {
        resolve(classify(answer[1], answer[2] === '-' ? [] : answer[2].split(',')));
      } else if (error?.code === 'ENOENT') {
        const target = danglingLink(path);
        resolve(target === undefined
          ? { kind: 'absent' }
          : { kind: 'broken', why: t('its environment is broken: it links to {0}, which is gone', target) });
      } else if (error?.killed) {
        resolve({ kind: 'broken', why: t('it did not answer within {0} s', timeoutMs / 1000) });
      } else if (error?.code === 'EACCES') {
        resolve({ kind: 'broken', why: t('it may not be executed') });
      } else {
        resolve({ kind: 'broken', why: lastLine(stderr) ?? lastLine(error?.message ?? '') ?? t('it is not a Python') });
      }
    });
  });
}

/** Tries candidates in order and returns the first that has the server. */
export async function search(candidates: readonly Candidate[], folder: string): Promise<SearchResult> {
  const tried: { candidate: Candidate; result: ProbeResult }[] = [];
  for (const candidate of candidates) {
    const result = await probe(candidate.path, folder);
    if (result.kind === 'usable') return { kind: 'found', candidate, version: result.version };
    tried.push({ candidate, result });
    // A Python that the user names and that cannot be the base of a private environment is to be corrected by the
    // user, not replaced.
    if (candidate.origin === 'setting' && result.kind !== 'incomplete') break;
  }
  const named = tried.find(({ candidate }) => candidate.origin === 'setting');
  if (named !== undefined) {
    const base = named.result.kind === 'incomplete' ? named.candidate.path : undefined;
    const [what, isSetUpMissing] = [describe(named.candidate.path, named.result), isServerMissing(named.result)];
    return { kind: 'not found', message: isSetUpMissing ? what : `fimLsp.interpreter: ${what}`, base, isSetUpMissing };
  }
  // The most useful message first: what an installation would mend, then what is there but cannot be used.
  const order: ProbeResult['kind'][] = ['incomplete', 'old', 'broken'];
  for (const kind of order) {
    const best = tried.find(({ result }) => result.kind === kind);
    if (best === undefined) continue;
    const base = kind === 'incomplete' ? best.candidate.path : undefined;
    const message = describe(best.candidate.path, best.result);
    return { kind: 'not found', message, base, isSetUpMissing: isServerMissing(best.result) };
  }
  return {
    kind: 'not found',
    message: t('No Python was found on PATH. Install Python {0} or later, or name one in fimLsp.interpreter.',
      MIN_PYTHON),
    base: undefined,
    isSetUpMissing: false,
  };
}

function classify(version: string, missing: readonly string[]): ProbeResult {
  if (isOlder(version, MIN_PYTHON)) return { kind: 'old', version };
  return missing.length === 0 ? { kind: 'usable', version } : { kind: 'incomplete', version, missing };
}

function isServerMissing(result: ProbeResult): boolean {
  return result.kind === 'incomplete' && result.missing.includes('fim_lsp');
}

/** Says what is wrong with a candidate and what to do next. */
function describe(path: string, result: ProbeResult): string {
  switch (result.kind) {
    case 'usable':
      return t('{0} can run the server.', path);
    case 'incomplete':
      return isServerMissing(result)
        ? t('One step is left: install the server. It goes into a private environment of this extension (about {0} ' +
          'MB), made with Python {1} ({2}), which stays as it is.', INSTALLED_MB, result.version, path)
        : t('fim-lsp is incomplete for Python {0} ({1}): {2} missing. Run: {3}', result.version, path,
          result.missing.join(', '), `${path} -m pip install --force-reinstall fim-lsp`);
    case 'old':
      return t('Python {0} ({1}) is too old: fim-lsp needs {2} or later. Install a newer one, or name it in ' +
        'fimLsp.interpreter.', result.version, path, MIN_PYTHON);
    case 'absent':
      return t('there is no {0}. Correct the setting, or empty it to have a Python found.', path);
    case 'broken':
      return t('{0} does not work: {1}. Repair it, or name another Python in fimLsp.interpreter.', path, result.why);
  }
}

function isOlder(version: string, oldest: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

/** Returns where a symbolic link to nothing points to; undefined for everything else. */
function danglingLink(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the last line that is not blank; undefined if there is none. */
export function lastLine(text: string): string | undefined {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '').at(-1);
}
