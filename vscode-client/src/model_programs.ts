/** Lists, chooses, removes and measures models with the server's own programs; without `vscode`. */

import { execFile } from 'node:child_process';
import { lastLine } from './interpreter.ts';
import { t } from './l10n.ts';
import type { InstalledModel, Speed } from './models.ts';

/** Name of the model that comes with the server. */
const EMBEDDED = 'default';

/** Programs of one Python that has the server. */
export class ModelPrograms {
  private readonly python: string;
  private readonly folder: string;

  /**
   * @param python path of the Python.
   * @param folder an empty folder to run in, because Python imports from its working folder first.
   */
  constructor(python: string, folder: string) {
    this.python = python;
    this.folder = folder;
  }

  /**
   * Lists the models on this machine.
   *
   * @throws Error with the program's last line, if it failed.
   */
  async list(): Promise<InstalledModel[]> {
    return parseInstalled(await this.run(['-m', 'model_runtime', 'models', 'list', '--json']));
  }

  /** Makes a model the one that all editors use; throws like `list`. */
  async use(name: string): Promise<void> {
    await this.run(['-m', 'model_runtime', 'models', 'use', name]);
  }

  /** Deletes a model that was added; throws like `list`. */
  async remove(name: string): Promise<void> {
    await this.run(['-m', 'model_runtime', 'models', 'remove', name]);
  }

  /**
   * Loads a model a second time and measures its speed.
   *
   * @throws Error with a sentence, if the model does not run.
   */
  async measure(name: string, signal: AbortSignal): Promise<Speed> {
    const doctor = ['-m', 'fim_lsp', 'doctor', '--json', '--model', name];
    return parseSpeed(await this.run(doctor, { signal, isReportKept: true }));
  }

  private run(args: string[], { signal, isReportKept = false }: RunOptions = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { cwd: this.folder, windowsHide: true, maxBuffer: 16e6, ...(signal && { signal }) };
      execFile(this.python, args, options, (error, stdout, stderr) => {
        if (error === null || (isReportKept && stdout.trim() !== '')) resolve(stdout);
        else reject(new Error(lastLine(stderr) ?? error.message));
      });
    });
  }
}

interface RunOptions {
  readonly signal?: AbortSignal;
  /** Takes what a failed program printed: `doctor` says in its JSON what is wrong. */
  readonly isReportKept?: boolean;
}

/** Parses what `fim-runtime models list --json` prints. */
export function parseInstalled(json: string): InstalledModel[] {
  const entries = JSON.parse(json) as {
    name: string;
    problem: string;
    manifest: { parameters?: number; license?: string; weights?: { size?: number; sha256?: string } } | null;
  }[];
  return entries.map(({ name, problem, manifest }) => ({
    name,
    problem,
    parameters: manifest?.parameters ?? 0,
    bytes: manifest?.weights?.size ?? 0,
    sha256: manifest?.weights?.sha256 ?? '',
    license: manifest?.license ?? '',
    isCurrent: false,
    isRemovable: name !== EMBEDDED,
  }));
}

/** Parses what `fim-lsp doctor --json` prints; throws an Error with the first problem it names. */
export function parseSpeed(json: string): Speed {
  const report = JSON.parse(json) as {
    ok: boolean;
    first_token_ms: number;
    tokens_per_second: number;
    problems: { problem: string; remedy: string }[];
  };
  if (!report.ok) throw new Error(report.problems[0]?.problem ?? t('the model does not run'));
  return { firstTokenMs: report.first_token_ms, tokensPerSecond: report.tokens_per_second };
}
