/** Runs the stand-in for the Hugging Face hub: with the embedded model and a catalogue of it, or with other files. */

import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PYTHON, REPOSITORY } from './vscode.ts';

const REVISION = 'c0ffee'.repeat(6) + 'beef';
const FILE = 'small-fim-q8_0.gguf';

/** Names in the catalogue: a model that is served, the same with a license that is asked for, one that is too large. */
export const SMALL = 'small-fim';
export const RESTRICTED = 'restricted-fim';
export const HUGE = 'huge-fim';

/** What goes wrong on the way from the hub. */
interface Troubles {
  /** Bytes in a second; null for as many as there can be. */
  readonly slow?: number | null;
  readonly down?: boolean;
  readonly wrong_bytes?: boolean;
}

export class Hub {
  /** Environment in which the server finds this hub and its catalogue. */
  readonly env: Record<string, string>;
  private readonly process: ChildProcess;
  private readonly endpoint: string;

  private constructor(process: ChildProcess, endpoint: string, env: Record<string, string> = {}) {
    this.process = process;
    this.endpoint = endpoint;
    this.env = { HF_ENDPOINT: endpoint, ...env };
  }

  /** Exports the model into a folder and serves it. */
  static async start(folder: string): Promise<Hub> {
    const repository = join(folder, 'repositories/example/small-fim');
    mkdirSync(repository, { recursive: true });
    const file = join(repository, FILE);
    const exporting = ['-m', 'model_runtime', 'models', 'export', 'default', '--gguf', '--out', file];
    execFileSync(PYTHON, exporting, { cwd: REPOSITORY, stdio: 'pipe' });
    const content = readFileSync(file);
    const catalogue = join(folder, 'catalogue.json');
    writeFileSync(catalogue, JSON.stringify(catalogueOf(content)));
    const { process, endpoint } = await serve(join(folder, 'repositories'));
    return new Hub(process, endpoint, { FIM_LSP_CATALOGUE: catalogue });
  }

  /** Serves the files of a folder, ORG/NAME/FILE, for the catalogue that the server comes with. */
  static async of(repositories: string): Promise<Hub> {
    const { process, endpoint } = await serve(repositories);
    return new Hub(process, endpoint);
  }

  /** Changes what goes wrong from now on. */
  async troubles(troubles: Troubles): Promise<void> {
    const answer = await fetch(`${this.endpoint}/control`, { method: 'POST', body: JSON.stringify(troubles) });
    assert.ok(answer.ok);
  }

  /** Returns the requests so far: the method and the path of each. */
  async requests(): Promise<string[]> {
    return ((await (await fetch(`${this.endpoint}/control`)).json()) as { requests: string[] }).requests;
  }

  async stop(): Promise<void> {
    const gone = new Promise((done) => this.process.once('exit', done));
    this.process.kill();
    await gone;
  }
}

/** Runs the program that stands in for the hub. */
async function serve(repositories: string): Promise<{ process: ChildProcess; endpoint: string }> {
  const program = ['-m', 'tests.support.fake_hub', '--folder', repositories];
  const child = spawn(PYTHON, program, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => { child.kill(); }); // also when a test run is broken off
  const [port = ''] = await firstLine(child);
  assert.match(port, /^\d+$/, 'the stand-in for the hub does not start');
  return { process: child, endpoint: `http://127.0.0.1:${port}` };
}

function catalogueOf(content: Buffer): object {
  const small = {
    name: SMALL,
    family: 'Small FIM',
    license: 'Apache-2.0',
    license_url: 'https://example.org/apache',
    is_permissive: true,
    languages: 'Python',
    repository: 'example/small-fim',
    file: FILE,
    revision: REVISION,
    sha256: createHash('sha256').update(content).digest('hex'),
    download_bytes: content.length,
    prompt_format: '',
    context_length: 1024,
    // So little that it is recommended on a busy machine, too.
    parameters: 100_000, layers: 1, hidden: 64, kv_width: 64, vocabulary: 1000,
    is_tied: true,
    scores: [],
    quality: 30,
  };
  const restricted = {
    ...small, name: RESTRICTED, license: 'Example RAIL', license_url: 'https://example.org/rail',
    is_permissive: false, parameters: 10e6, quality: 20,
  };
  const huge = {
    ...small, name: HUGE, parameters: 2e12, download_bytes: 1e12, layers: 200, hidden: 30_000, quality: 90,
  };
  return { format_version: 1, about: 'For tests.', models: [huge, restricted, small] };
}

function firstLine(child: ChildProcess): Promise<string[]> {
  assert.ok(child.stdout);
  const lines = createInterface(child.stdout);
  return new Promise((resolve) => {
    lines.once('line', (line) => { resolve([line]); });
    child.once('exit', () => { resolve([]); });
  });
}
