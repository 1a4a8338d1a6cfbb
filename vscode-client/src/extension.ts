/** Starts the server, shows its state, and carries the commands.  All that concerns completions is the server's. */

import { dirname } from 'node:path';
import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import { explanation } from './explain.ts';
import { install } from './installation.ts';
import { lastLine } from './interpreter.ts';
import { Pythons } from './python.ts';
import { selectModel, Speeds } from './select_model.ts';
import { Server, Trouble, type Remedy } from './server.ts';
import { parseLanguages, serveOptions, withLanguageToggled } from './settings.ts';
import { StatusBar } from './status_bar.ts';

const SNOOZE_MS = 5 * 60_000;
const EXPLANATION = vscode.Uri.parse('fim-lsp:/Last suggestion.md');
const WALKTHROUGH_SHOWN = 'walkthroughShown';

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const output = vscode.window.createOutputChannel('FIM LSP', { log: true });
  const status = new StatusBar();
  const pythons = new Pythons(context, output);
  const running: Server = new Server(pythons, output, middleware(status, () => running.explain()));
  server = running;
  const remedies = new Remedies(context, pythons, running, output);
  const explanations = new Explanations();
  const speeds = new Speeds(context.globalState);

  const commands: Record<string, () => unknown> = {
    'fimLsp.restart': () => running.start(),
    'fimLsp.showOutput': () => { output.show(); },
    'fimLsp.toggle': () => update('enabled', vscode.workspace.getConfiguration('fimLsp').get('enabled') === false),
    'fimLsp.toggleLanguage': toggleLanguage,
    'fimLsp.trigger': async () => {
      if (status.whyOff !== undefined) void vscode.window.setStatusBarMessage(`FIM LSP: ${status.whyOff}`, 5_000);
      await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    },
    'fimLsp.explain': async () => {
      if (!running.isRunning) return vscode.window.showInformationMessage('FIM LSP: the server is not running.', 'Show Output')
        .then((choice) => { if (choice !== undefined) output.show(); });
      await explanations.show(explanation(await running.explain(), nameOf));
    },
    'fimLsp.selectModel': () => chooseModel(pythons, speeds, output, remedies),
    'fimLsp.snooze': async () => {
      status.snooze(SNOOZE_MS);
      await vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
    },
    'fimLsp.install': () => remedies.installServer(),
    'fimLsp.showMenu': () => showMenu(status),
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, run));
  }
  context.subscriptions.push(
    output,
    status,
    vscode.workspace.registerTextDocumentContentProvider(EXPLANATION.scheme, explanations),
    running.onLife((life) => { status.show(life); }),
    running.onTrouble((trouble) => void remedies.offer(trouble)),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void running.start()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      const own = ['interpreter', 'command', 'address'];
      if (own.some((key) => change.affectsConfiguration(`fimLsp.${key}`))) void running.start();
    }),
  );
  output.info(`fim-lsp ${(context.extension.packageJSON as { version: string }).version} in ${vscode.env.appName} ${vscode.version}`);
  void running.start();
  void pythons.follow(() => {
    const { interpreter, command, address } = pythons.settings;
    if (interpreter === '' && command.length === 0 && address === '') void running.start();
  });
  void showWalkthroughOnce(context);
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

/** Silences suggestions while they are snoozed, and learns which documents the server does not complete. */
function middleware(status: StatusBar, explain: () => Promise<Readonly<Record<string, unknown>>[]>): Middleware {
  return {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      if (status.isSnoozed) return undefined;
      const items = await next(document, position, context, token);
      const count = Array.isArray(items) ? items.length : items?.items.length ?? 0;
      if (count > 0) {
        status.exclude(document, '');
      } else if (!token.isCancellationRequested) {
        const uri = document.uri.toString();
        const last = (await explain()).find((decision) => sameUri(decision['uri'], uri));
        const reason = last?.['reason'];
        status.exclude(document, typeof reason === 'string' && reason.startsWith('excluded') ? reason : '');
      }
      return items;
    },
  };
}

function sameUri(value: unknown, uri: string): boolean {
  return typeof value === 'string' && vscode.Uri.parse(value).toString() === uri;
}

/** What messages about failures offer to do. */
class Remedies {
  private readonly context: vscode.ExtensionContext;
  private readonly pythons: Pythons;
  private readonly server: Server;
  private readonly output: vscode.LogOutputChannel;

  constructor(context: vscode.ExtensionContext, pythons: Pythons, running: Server, output: vscode.LogOutputChannel) {
    this.context = context;
    this.pythons = pythons;
    this.server = running;
    this.output = output;
  }

  async offer(trouble: Trouble): Promise<void> {
    const titles = trouble.remedies.map((remedy) => TITLES[remedy]);
    const choice = await vscode.window.showErrorMessage(`FIM LSP: ${trouble.message}`, ...titles);
    const remedy = trouble.remedies.find((known) => TITLES[known] === choice);
    if (remedy !== undefined) await this.apply(remedy);
  }

  /** Make the private environment, and start the server with it. */
  async installServer(): Promise<void> {
    const found = await this.pythons.find();
    const base = found.kind === 'found' ? found.candidate.path : found.base;
    if (base === undefined) {
      void vscode.window.showErrorMessage(`FIM LSP: ${found.kind === 'trouble' ? found.message : ''}`);
      return;
    }
    await this.server.stop('installing the server');
    try {
      await vscode.window.withProgress(
        { location: vscode.ProgressLocation.Notification, title: 'FIM LSP', cancellable: true },
        async (progress, token) => {
          const aborted = new AbortController();
          token.onCancellationRequested(() => { aborted.abort(); });
          await install({
            base,
            environment: this.pythons.privateEnvironment,
            wheels: vscode.Uri.joinPath(this.context.extensionUri, 'wheels').fsPath,
            report: (message) => { progress.report({ message }); },
            log: (line) => { this.output.info(`install: ${line}`); },
            signal: aborted.signal,
          });
        },
      );
      this.output.info(`installed into ${dirname(this.pythons.privateEnvironment)}`);
    } catch (error) {
      if (error instanceof Error && error.name !== 'AbortError') {
        this.server.refuse(error.message);
        if (found.kind === 'found') await this.server.start();  // there was one without it
        const choice = await vscode.window.showErrorMessage(`FIM LSP: ${error.message}`, TITLES.output, TRY_AGAIN);
        if (choice === TRY_AGAIN) return this.installServer();
        if (choice === TITLES.output) this.output.show();
        return;
      }
    }
    await this.server.start();
  }

  private async apply(remedy: Remedy): Promise<void> {
    switch (remedy) {
      case 'install': return this.installServer();
      case 'restart': return this.server.start();
      case 'output': this.output.show(); return;
      case 'settings': await vscode.commands.executeCommand('workbench.action.openSettings', 'fimLsp.interpreter'); return;
      case 'serve': return this.serve();
    }
  }

  /** Start a shared server where the user sees it and can end it. */
  private async serve(): Promise<void> {
    const found = await this.pythons.find();
    if (found.kind === 'trouble') {
      void vscode.window.showErrorMessage(`FIM LSP: ${found.message}`);
      return;
    }
    const { address } = this.pythons.settings;
    vscode.window.createTerminal({
      name: 'fim-lsp',
      shellPath: found.candidate.path,
      shellArgs: ['-m', 'fim_lsp', 'serve', ...serveOptions(address)],
      cwd: this.pythons.workingFolder,
    }).show(true);
    await this.server.startWhenListening();
  }
}

const TRY_AGAIN = 'Try Again';
const TITLES: Record<Remedy, string> = {
  install: 'Install',
  output: 'Show Output',
  restart: 'Restart',
  settings: 'Open Settings',
  serve: 'Start It in a Terminal',
};

/** The document that Explain Last Suggestion opens. */
class Explanations implements vscode.TextDocumentContentProvider {
  private text = '';
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changes.event;

  provideTextDocumentContent(): string {
    return this.text;
  }

  async show(text: string): Promise<void> {
    this.text = text;
    this.changes.fire(EXPLANATION);
    const document = await vscode.workspace.openTextDocument(EXPLANATION);
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preview: true, preserveFocus: true });
  }
}

async function toggleLanguage(): Promise<void> {
  const id = vscode.window.activeTextEditor?.document.languageId;
  if (id === undefined) {
    void vscode.window.showInformationMessage('FIM LSP: open a file first; its language is the one that is switched.');
    return;
  }
  const languages = parseLanguages(vscode.workspace.getConfiguration('fimLsp').get('languages'));
  await update('languages', withLanguageToggled(languages, id));
}

async function chooseModel(
  pythons: Pythons, speeds: Speeds, output: vscode.LogOutputChannel, remedies: Remedies,
): Promise<void> {
  const found = await pythons.find();
  if (found.kind === 'trouble') {
    await remedies.offer(new Trouble(found.message, found.base === undefined ? ['settings'] : ['install', 'settings']));
    return;
  }
  const current = vscode.workspace.getConfiguration('fimLsp').get<string>('model') ?? 'default';
  try {
    const model = await selectModel(found.candidate.path, pythons.workingFolder, current, speeds, output);
    if (model !== undefined) await update('model', model);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    output.error(`models: ${why}`);
    void vscode.window.showErrorMessage(`FIM LSP: the models cannot be listed: ${lastLine(why) ?? why}`);
  }
}

/** Change a setting where it is set already, else for the user. */
async function update(key: string, value: unknown): Promise<void> {
  const configuration = vscode.workspace.getConfiguration('fimLsp');
  const isSetHere = configuration.inspect(key)?.workspaceValue !== undefined;
  await configuration.update(key, value, isSetHere ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global);
}

async function showMenu(status: StatusBar): Promise<void> {
  const items: (vscode.QuickPickItem & { command: string })[] = [
    { label: '$(power) Toggle', command: 'fimLsp.toggle' },
    { label: '$(file-code) Toggle for This Language', command: 'fimLsp.toggleLanguage' },
    { label: '$(question) Explain Last Suggestion', command: 'fimLsp.explain' },
    { label: '$(list-selection) Select Model', command: 'fimLsp.selectModel' },
    { label: '$(bell-slash) Snooze 5 Minutes', command: status.isSnoozed ? '' : 'fimLsp.snooze' },
    { label: '$(bell) Wake Up', command: status.isSnoozed ? 'wake' : '' },
    { label: '$(debug-restart) Restart Server', command: 'fimLsp.restart' },
    { label: '$(output) Show Output', command: 'fimLsp.showOutput' },
  ];
  const placeHolder = status.whyOff ?? 'What fim-lsp should do';
  const choice = await vscode.window.showQuickPick(items.filter(({ command }) => command !== ''), { placeHolder });
  if (choice?.command === 'wake') status.snooze(0);
  else if (choice !== undefined) await vscode.commands.executeCommand(choice.command);
}

async function showWalkthroughOnce(context: vscode.ExtensionContext): Promise<void> {
  const isWanted = vscode.workspace.getConfiguration('workbench.welcomePage.walkthroughs').get('openOnInstall') !== false;
  if (!isWanted || context.globalState.get(WALKTHROUGH_SHOWN) === true) return;
  await context.globalState.update(WALKTHROUGH_SHOWN, true);
  await vscode.commands.executeCommand('workbench.action.openWalkthrough', `${context.extension.id}#start`, false);
}

function nameOf(uri: string): string {
  return uri === '' ? 'unknown' : vscode.workspace.asRelativePath(vscode.Uri.parse(uri));
}
