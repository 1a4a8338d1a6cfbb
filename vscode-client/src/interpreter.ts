/**
 * Finds a Python that can run the server, and says plainly why it found none.
 *
 * Knows nothing of VS Code.  A candidate is asked by running it: whether it starts, its version, and which of the
 * server's packages it lacks.
 */

import { execFile } from 'node:child_process';
import { lstatSync, readlinkSync } from 'node:fs';

/** The `requires-python` of the server; a test compares the two. */
export const OLDEST_PYTHON = '3.10';

const PROBE_TIMEOUT_MS = 30_000;

/** A Python to try, and who named it. */
export interface Candidate {
  readonly path: string;
  readonly origin: 'setting' | 'python extension' | 'private' | 'PATH';
}

/** What came of trying a candidate. */
export type Probe =
  | { readonly kind: 'usable'; readonly version: string }
  | { readonly kind: 'incomplete'; readonly version: string; readonly missing: readonly string[] }
  | { readonly kind: 'old'; readonly version: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'broken'; readonly why: string };

/** A Python with the server, or what to tell the user; `base` is one that could get a private environment. */
export type Search =
  | { readonly kind: 'found'; readonly candidate: Candidate; readonly version: string }
  | { readonly kind: 'trouble'; readonly message: string; readonly base: string | undefined };

// Understood by Python 2 as well, so that an old one can say its version.  The marker tells our line from what a
// site customisation may print.
const PROBE_SCRIPT = `
import sys
names = ("fim_lsp", "model_runtime", "pygls", "lsprotocol", "ctranslate2", "tokenizers")
missing = []
if sys.version_info >= (3, 4):
    from importlib.util import find_spec
    missing = [name for name in names if find_spec(name) is None]
print("fim-lsp-probe %d.%d.%d %s" % (sys.version_info[:3] + (",".join(missing) or "-",)))
`;

/**
 * Run a candidate and ask it.
 *
 * @param folder where it runs: one without Python files, because Python imports from where it is run first.
 */
export function probe(path: string, folder: string, timeoutMs = PROBE_TIMEOUT_MS): Promise<Probe> {
  return new Promise((resolve) => {
    execFile(path, ['-c', PROBE_SCRIPT], { cwd: folder, timeout: timeoutMs, windowsHide: true }, (error, stdout, stderr) => {
      const answer = /^fim-lsp-probe (\S+) (\S+)\s*$/m.exec(stdout);
      if (answer?.[1] !== undefined && answer[2] !== undefined) {
        resolve(judge(answer[1], answer[2] === '-' ? [] : answer[2].split(',')));
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
        resolve({ kind: 'broken', why: lastLine(stderr) ?? lastLine(error?.message ?? '') ?? 'it is no Python' });
      }
    });
  });
}

/** Try candidates in order; the first that has the server wins. */
export async function search(candidates: readonly Candidate[], folder: string): Promise<Search> {
  const tried: { candidate: Candidate; outcome: Probe }[] = [];
  for (const candidate of candidates) {
    const outcome = await probe(candidate.path, folder);
    if (outcome.kind === 'usable') return { kind: 'found', candidate, version: outcome.version };
    tried.push({ candidate, outcome });
    // One that is named and cannot even be the base of a private environment is to be corrected, not replaced.
    if (candidate.origin === 'setting' && outcome.kind !== 'incomplete') break;
  }
  const named = tried.find(({ candidate }) => candidate.origin === 'setting');
  if (named !== undefined) {
    const base = named.outcome.kind === 'incomplete' ? named.candidate.path : undefined;
    return { kind: 'trouble', message: `fimLsp.interpreter: ${sentence(named.candidate.path, named.outcome)}`, base };
  }
  // The most telling one: what could be mended by an installation, then what is there but of no use.
  const order: Probe['kind'][] = ['incomplete', 'old', 'broken'];
  for (const kind of order) {
    const best = tried.find(({ outcome }) => outcome.kind === kind);
    if (best === undefined) continue;
    const base = kind === 'incomplete' ? best.candidate.path : undefined;
    return { kind: 'trouble', message: sentence(best.candidate.path, best.outcome), base };
  }
  return {
    kind: 'trouble',
    message: `No Python was found on PATH. Install Python ${OLDEST_PYTHON} or later, or name one in fimLsp.interpreter.`,
    base: undefined,
  };
}

function judge(version: string, missing: readonly string[]): Probe {
  if (isOlder(version, OLDEST_PYTHON)) return { kind: 'old', version };
  return missing.length === 0 ? { kind: 'usable', version } : { kind: 'incomplete', version, missing };
}

/** What is wrong with a candidate and what to do next. */
function sentence(path: string, outcome: Probe): string {
  switch (outcome.kind) {
    case 'usable':
      return `${path} can run the server.`;
    case 'incomplete':
      return outcome.missing[0] === 'fim_lsp'
        ? `fim-lsp is not installed for Python ${outcome.version} (${path}). Install it privately with the button, or run: ${path} -m pip install fim-lsp`
        : `fim-lsp is incomplete for Python ${outcome.version} (${path}): ${outcome.missing.join(', ')} missing. ` +
          `Run: ${path} -m pip install --force-reinstall fim-lsp`;
    case 'old':
      return `Python ${outcome.version} (${path}) is too old: fim-lsp needs ${OLDEST_PYTHON} or later. ` +
        'Install a newer one, or name it in fimLsp.interpreter.';
    case 'absent':
      return `there is no ${path}. Correct the setting, or empty it to have a Python found.`;
    case 'broken':
      return `${path} does not work: ${outcome.why}. Repair it, or name another Python in fimLsp.interpreter.`;
  }
}

function isOlder(version: string, oldest: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

function danglingLink(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** The last line that says something. */
export function lastLine(text: string): string | undefined {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '').at(-1);
}
