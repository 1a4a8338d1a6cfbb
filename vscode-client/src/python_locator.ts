/** Finds the Python that runs the server: of the settings, the Python extension, the private environment or PATH. */

import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { readClientSettings } from './configuration.ts';
import { pythonOf } from './installation.ts';
import { search, type Candidate, type SearchResult } from './interpreter.ts';

const PYTHON_EXTENSION = 'ms-python.python';
const PYTHON_EXTENSION_TIMEOUT_MS = 10_000;

/** The part of the Python extension's interface that is used here; the extension is optional. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(path: { readonly path: string }): Thenable<PythonEnvironment | undefined>;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

interface PythonEnvironment {
  readonly executable: { readonly uri?: vscode.Uri };
}

export class PythonLocator {
  private readonly context: vscode.ExtensionContext;
  private readonly output: vscode.LogOutputChannel;

  constructor(context: vscode.ExtensionContext, output: vscode.LogOutputChannel) {
    this.context = context;
    this.output = output;
  }

  /** Folder of the private environment; each version of the extension has its own. */
  get privateEnvironment(): string {
    const { version } = this.context.extension.packageJSON as { version: string };
    return join(this.context.globalStorageUri.fsPath, `server-${version}`);
  }

  /** An empty folder to run programs in, because Python imports from its working folder first. */
  get workingFolder(): string {
    const folder = join(this.context.globalStorageUri.fsPath, 'empty');
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Searches for a Python that has the server. */
  async find(): Promise<SearchResult> {
    const candidates = await this.candidates();
    this.output.debug(`Pythons to try: ${candidates.map(({ path, origin }) => `${path} (${origin})`).join(', ')}`);
    return search(candidates, this.workingFolder);
  }

  /** Calls back whenever another environment is chosen in the Python extension. */
  async onDidChangeEnvironment(callback: () => void): Promise<void> {
    const api = await this.pythonApi();
    if (api !== undefined) this.context.subscriptions.push(api.environments.onDidChangeActiveEnvironmentPath(callback));
  }

  private async candidates(): Promise<Candidate[]> {
    const { interpreter } = readClientSettings();
    const path = pythonOf(this.privateEnvironment);
    const ours = existsSync(path) ? [{ path, origin: 'private' as const }] : [];
    // The private environment was made from the named Python, and stands in for it while that lacks the server.
    if (interpreter !== '') return [{ path: interpreter, origin: 'setting' }, ...ours];
    const chosen = await this.chosenInPythonExtension();
    const names = process.platform === 'win32' ? ['python', 'python3'] : ['python3', 'python'];
    return [
      ...(chosen === undefined ? [] : [{ path: chosen, origin: 'python extension' as const }]),
      ...ours,
      ...names.map((name) => ({ path: name, origin: 'PATH' as const })),
    ];
  }

  private async chosenInPythonExtension(): Promise<string | undefined> {
    const api = await this.pythonApi();
    if (api === undefined) return undefined;
    const { environments } = api;
    try {
      const path = environments.getActiveEnvironmentPath(vscode.workspace.workspaceFolders?.[0]?.uri);
      return (await withTimeout(environments.resolveEnvironment(path)))?.executable.uri?.fsPath;
    } catch (error) {
      this.output.warn(`The Python extension does not tell its environment: ${String(error)}`);
      return undefined;
    }
  }

  /** Returns nothing in Restricted Mode: the environment of a folder that is not trusted is not run. */
  private async pythonApi(): Promise<PythonApi | undefined> {
    const extension = vscode.extensions.getExtension<PythonApi>(PYTHON_EXTENSION);
    if (extension === undefined || !vscode.workspace.isTrusted) return undefined;
    try {
      return await withTimeout(extension.activate());
    } catch (error) {
      this.output.warn(`The Python extension does not start: ${String(error)}`);
      return undefined;
    }
  }
}

/** Returns undefined when another extension takes too long: it must not keep the server from starting. */
async function withTimeout<T>(promise: Thenable<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => { resolve(undefined); }, PYTHON_EXTENSION_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
