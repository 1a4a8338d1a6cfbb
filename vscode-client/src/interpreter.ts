/**
 * Finds a Python that can run the server, and explains why none was found.
 *
 * The module does not import `vscode`.  Each candidate is run once and asked for its version and for the packages of
 * the server that it lacks.  Engines are not among these packages: which one is needed depends on the model, and the
 * server reports a missing one itself.
 */

import { execFile } from 'node:child_process';
import { lstatSync, readlinkSync } from 'node:fs';

/** The `requires-python` of the server; a test compares the two. */
export const MIN_PYTHON = '3.10';

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

/** The first Python with the server, or a message for the user; `base` is one that can make a private environment. */
export type SearchResult =
  | { readonly kind: 'found'; readonly candidate: Candidate; readonly version: string }
  | { readonly kind: 'not found'; readonly message: string; readonly base: string | undefined };

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
          : { kind: 'broken', why: `its environment is broken: it links to ${target}, which is gone` });
      } else if (error?.killed) {
        resolve({ kind: 'broken', why: `it did not answer within ${timeoutMs / 1000} s` });
      } else if (error?.code === 'EACCES') {
        resolve({ kind: 'broken', why: 'it may not be executed' });
      } else {
        resolve({ kind: 'broken', why: lastLine(stderr) ?? lastLine(error?.message ?? '') ?? 'it is not a Python' });
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
    return { kind: 'not found', message: `fimLsp.interpreter: ${describe(named.candidate.path, named.result)}`, base };
  }
  // The most useful message first: what an installation would mend, then what is there but cannot be used.
  const order: ProbeResult['kind'][] = ['incomplete', 'old', 'broken'];
  for (const kind of order) {
    const best = tried.find(({ result }) => result.kind === kind);
    if (best === undefined) continue;
    const base = kind === 'incomplete' ? best.candidate.path : undefined;
    return { kind: 'not found', message: describe(best.candidate.path, best.result), base };
  }
  return {
    kind: 'not found',
    message: `No Python was found on PATH. Install Python ${MIN_PYTHON} or later, or name one in fimLsp.interpreter.`,
    base: undefined,
  };
}

function classify(version: string, missing: readonly string[]): ProbeResult {
  if (isOlder(version, MIN_PYTHON)) return { kind: 'old', version };
  return missing.length === 0 ? { kind: 'usable', version } : { kind: 'incomplete', version, missing };
}

/** Says what is wrong with a candidate and what to do next. */
function describe(path: string, result: ProbeResult): string {
  switch (result.kind) {
    case 'usable':
      return `${path} can run the server.`;
    case 'incomplete':
      return result.missing[0] === 'fim_lsp'
        ? `fim-lsp is not installed for Python ${result.version} (${path}). ` +
          `Install it privately with the button, or run: ${path} -m pip install fim-lsp`
        : `fim-lsp is incomplete for Python ${result.version} (${path}): ${result.missing.join(', ')} missing. ` +
          `Run: ${path} -m pip install --force-reinstall fim-lsp`;
    case 'old':
      return `Python ${result.version} (${path}) is too old: fim-lsp needs ${MIN_PYTHON} or later. ` +
        'Install a newer one, or name it in fimLsp.interpreter.';
    case 'absent':
      return `there is no ${path}. Correct the setting, or empty it to have a Python found.`;
    case 'broken':
      return `${path} does not work: ${result.why}. Repair it, or name another Python in fimLsp.interpreter.`;
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
