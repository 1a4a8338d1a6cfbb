/** Lists the models on this machine and measures their speed, with the server's own programs; without `vscode`. */

import { execFile } from 'node:child_process';
import { lastLine } from './interpreter.ts';

/** A model that `fim-runtime models list --json` names. */
export interface Model {
  readonly name: string;
  /** Why it cannot be used; empty if it can. */
  readonly problem: string;
  readonly parameters: number;
  readonly bytes: number;
  /** Hash of the weights; names the figures that were measured for them. */
  readonly sha256: string;
}

/** Figures of `fim-lsp doctor --json`. */
export interface Speed {
  readonly firstTokenMs: number;
  readonly tokensPerSecond: number;
}

/** Larger models are measured only when the user asks: that takes minutes and as much memory again. */
export const MAX_BYTES_MEASURED_UNASKED = 200e6;

/**
 * Lists the models on this machine.
 *
 * @throws Error with the program's last line, if it failed.
 */
export async function listModels(python: string, folder: string): Promise<Model[]> {
  return parseModels(await run(python, ['-m', 'model_runtime', 'models', 'list', '--json'], folder));
}

/**
 * Loads a model a second time and measures its speed.
 *
 * @throws Error with a sentence, if the model does not run.
 */
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

/** Returns a model's size, or its problem, for one line of a list: `10.2 M parameters, 10 MB`. */
export function formatSize(model: Model): string {
  if (model.problem !== '') return model.problem;
  const { parameters } = model;
  const count = parameters >= 1e9 ? `${(parameters / 1e9).toFixed(1)} G` : `${(parameters / 1e6).toFixed(1)} M`;
  return `${count} parameters, ${(model.bytes / 1e6).toFixed(0)} MB`;
}

/** Returns a speed for one line of a list: `first token in 69 ms, then 301 per second here`. */
export function formatSpeed(speed: Speed): string {
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
