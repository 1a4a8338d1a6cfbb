/** Which Python runs the server: the settings, the Python extension, the private environment, PATH. */

import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { pythonOf } from './installation.ts';
import { search, type Candidate, type Search } from './interpreter.ts';
import { parseSettings, type ClientSettings } from './settings.ts';

const PYTHON_EXTENSION = 'ms-python.python';
const PATIENCE_MS = 10_000;

/** The part of the Python extension's interface that is used here; the extension is optional. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(path: { readonly path: string }): Thenable<{ readonly executable: { readonly uri?: vscode.Uri } } | undefined>;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

export class Pythons {
  private readonly context: vscode.ExtensionContext;
  private readonly output: vscode.LogOutputChannel;

  constructor(context: vscode.ExtensionContext, output: vscode.LogOutputChannel) {
    this.context = context;
    this.output = output;
  }

  /** Where the button installs: one environment for each version of the extension. */
  get privateEnvironment(): string {
    const { version } = this.context.extension.packageJSON as { version: string };
    return join(this.context.globalStorageUri.fsPath, `server-${version}`);
  }

  /** Where programs are run: a folder of our own without Python files, since Python imports from where it is run. */
  get workingFolder(): string {
    const folder = join(this.context.globalStorageUri.fsPath, 'empty');
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** The extension's own settings as they are now. */
  get settings(): ClientSettings {
    const configuration = vscode.workspace.getConfiguration('fimLsp');
    return parseSettings((key) => configuration.get(key), vscode.workspace.workspaceFolders?.[0]?.uri.fsPath);
  }

  /** A Python with the server. */
  async find(): Promise<Search> {
    const candidates = await this.candidates();
    this.output.debug(`Pythons to try: ${candidates.map(({ path, origin }) => `${path} (${origin})`).join(', ')}`);
    return search(candidates, this.workingFolder);
  }

  /** Call back when another environment is chosen in the Python extension. */
  async follow(callback: () => void): Promise<void> {
    const api = await this.api();
    if (api !== undefined) this.context.subscriptions.push(api.environments.onDidChangeActiveEnvironmentPath(callback));
  }

  private async candidates(): Promise<Candidate[]> {
    const { interpreter } = this.settings;
    const path = pythonOf(this.privateEnvironment);
    const ours = existsSync(path) ? [{ path, origin: 'private' as const }] : [];
    // The private one stands in for a Python that lacks the server, and was made from it.
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
    const api = await this.api();
    if (api === undefined) return undefined;
    const { environments } = api;
    try {
      const path = environments.getActiveEnvironmentPath(vscode.workspace.workspaceFolders?.[0]?.uri);
      return (await withPatience(environments.resolveEnvironment(path)))?.executable.uri?.fsPath;
    } catch (error) {
      this.output.warn(`The Python extension does not tell its environment: ${String(error)}`);
      return undefined;
    }
  }

  /** Nothing in Restricted Mode: the environment of a folder that is not trusted is not run. */
  private async api(): Promise<PythonApi | undefined> {
    const extension = vscode.extensions.getExtension<PythonApi>(PYTHON_EXTENSION);
    if (extension === undefined || !vscode.workspace.isTrusted) return undefined;
    try {
      return await withPatience(extension.activate());
    } catch (error) {
      this.output.warn(`The Python extension does not start: ${String(error)}`);
      return undefined;
    }
  }
}

/** What a foreign extension promised, or undefined when it takes too long: it must not keep the server from starting. */
async function withPatience<T>(promise: Thenable<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => { resolve(undefined); }, PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
