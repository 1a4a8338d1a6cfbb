/** The models on this machine and how fast they are here, as the server's own programs tell.  No VS Code. */

import { execFile } from 'node:child_process';
import { lastLine } from './interpreter.ts';

/** A model that `fim-runtime models list --json` names. */
export interface Model {
  readonly name: string;
  /** Why it cannot be used; else empty. */
  readonly problem: string;
  readonly parameters: number;
  readonly bytes: number;
  /** Of the weights: names the figures that were measured for them. */
  readonly sha256: string;
}

/** What `fim-lsp doctor --json` measured. */
export interface Speed {
  readonly firstTokenMs: number;
  readonly tokensPerSecond: number;
}

/** A larger one is measured only when the user says so: it takes minutes and as much memory again. */
export const MOST_BYTES_MEASURED_UNASKED = 200e6;

/** @throws Error with a sentence, if the program failed. */
export async function listModels(python: string, folder: string): Promise<Model[]> {
  const script = 'import sys; from model_runtime.cli import main; sys.exit(main())';
  return parseModels(await run(python, ['-c', script, 'models', 'list', '--json'], folder));
}

/** @throws Error with a sentence, if the model does not run. */
export async function measure(python: string, folder: string, model: string, signal: AbortSignal): Promise<Speed> {
  return parseSpeed(await run(python, ['-m', 'fim_lsp', 'doctor', '--json', '--model', model], folder, signal));
}

export function parseModels(json: string): Model[] {
  const entries = JSON.parse(json) as {
    name: string;
    problem: string;
    manifest: { parameters?: number; weights?: { size?: number; sha256?: string } } | null;
  }[];
  return entries.map(({ name, problem, manifest }) => ({
    name,
    problem,
    parameters: manifest?.parameters ?? 0,
    bytes: manifest?.weights?.size ?? 0,
    sha256: manifest?.weights?.sha256 ?? '',
  }));
}

export function parseSpeed(json: string): Speed {
  const report = JSON.parse(json) as {
    ok: boolean;
    first_token_ms: number;
    tokens_per_second: number;
    problems: { problem: string; remedy: string }[];
  };
  if (!report.ok) throw new Error(report.problems[0]?.problem ?? 'the model does not run');
  return { firstTokenMs: report.first_token_ms, tokensPerSecond: report.tokens_per_second };
}

/** Size for a list, short enough for its line: `10.2 M parameters, 10 MB`. */
export function sizeOf(model: Model): string {
  if (model.problem !== '') return model.problem;
  const parameters = model.parameters >= 1e9 ? `${(model.parameters / 1e9).toFixed(1)} G` : `${(model.parameters / 1e6).toFixed(1)} M`;
  return `${parameters} parameters, ${(model.bytes / 1e6).toFixed(0)} MB`;
}

export function speedOf(speed: Speed): string {
  return `first token in ${speed.firstTokenMs.toFixed(0)} ms, then ${speed.tokensPerSecond.toFixed(0)} per second here`;
}

function run(python: string, args: string[], folder: string, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, windowsHide: true, maxBuffer: 16e6, ...(signal === undefined ? {} : { signal }) };
    execFile(python, args, options, (error, stdout, stderr) => {
      // `doctor` ends with 1 when something is wrong, and says what in its JSON.
      if (stdout.trim() !== '') resolve(stdout);
      else reject(new Error(lastLine(stderr) ?? error?.message ?? 'it printed nothing'));
    });
  });
}
