/** Starts the server, restarts it after a crash and reports failures; decides nothing about completions. */

import * as vscode from 'vscode';
import type { LanguageClient, Middleware } from 'vscode-languageclient/node';
import { Backoff, MAX_RESTARTS, WINDOW_MS } from './backoff.ts';
import { readClientSettings } from './configuration.ts';
import { Failure } from './failure.ts';
import { createClient } from './language_client.ts';
import { t } from './l10n.ts';
import type { PythonLocator } from './python_locator.ts';
import { ConnectionError, startServer, type Connection } from './server_process.ts';
import type { DocumentState, ProcessState, ServerStatus } from './status.ts';
import type { Usage } from './usage.ts';
import { decisive, type Trace } from './why.ts';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 2_000;
const EXIT_MESSAGE_TIMEOUT_MS = 1_000;

/** Result of `fimLsp/explain`, as far as it is used. */
interface Explanation {
  readonly markdown: string;
  readonly traces: readonly Trace[];
}

/** Kind of trigger in LSP for a request that typing makes. */
const AUTOMATIC = 2;

interface Session {
  readonly client: LanguageClient;
  readonly connection: Connection;
}

export class Server {
  private readonly locator: PythonLocator;
  private readonly output: vscode.LogOutputChannel;
  private readonly middleware: Middleware;
  private readonly backoff = new Backoff();
  private readonly stateChanges = new vscode.EventEmitter<ProcessState>();
  private readonly failures = new vscode.EventEmitter<Failure>();
  private readonly documentChanges = new vscode.EventEmitter<DocumentState>();
  private session: Session | undefined;
  private restartTimer: NodeJS.Timeout | undefined;
  /** Number of starts and stops; code that finds it changed after a wait has been overtaken and does nothing more. */
  private attempt = 0;
  private state: ProcessState = { kind: 'starting', detail: '' };

  readonly onDidChangeState = this.stateChanges.event;
  /** Fires once for each failure that the user should hear of. */
  readonly onDidFail = this.failures.event;
  /** Fires when the server says whether it completes a document. */
  readonly onDidChangeDocument = this.documentChanges.event;

  constructor(locator: PythonLocator, output: vscode.LogOutputChannel, middleware: Middleware) {
    this.locator = locator;
    this.output = output;
    this.middleware = middleware;
  }

  /** The client of the running server; undefined while none runs. */
  get client(): LanguageClient | undefined {
    return this.state.kind === 'running' ? this.session?.client : undefined;
  }

  /** Name of the model that the server fetches now; empty for none. */
  get adding(): string {
    return this.state.kind === 'running' ? this.state.status?.adding?.model ?? '' : '';
  }

  /** Starts the server, or starts it again, because the user or the settings say so. */
  async start(): Promise<void> {
    this.backoff.reset();
    await this.launch(t('starting'));
  }

  /** Connects to a shared server that may not listen yet: a failure is tried again. */
  async startWhenListening(): Promise<void> {
    this.backoff.reset();
    this.backoff.next(Date.now());
    await this.launch(t('waiting for the server'));
  }

  /** Ends the server and never fails; `detail` says what is done until it starts again. */
  async stop(detail?: string): Promise<void> {
    this.attempt++;
    if (detail !== undefined) this.setState({ kind: 'starting', detail });
    clearTimeout(this.restartTimer);
    await this.closeSession();
  }

  /** Shows that there is no server and why; the caller tells the user. */
  setFailed(message: string, isSetUpMissing = false): void {
    if (isSetUpMissing) this.output.info(message);
    else this.output.error(message);
    this.setState({ kind: 'failed', message, isSetUpMissing });
  }

  /** Waits until a model is ready; returns false if it takes too long, or fails. */
  async untilReady(timeoutMs: number): Promise<boolean> {
    const isReady = (): boolean => this.state.kind === 'running' && this.state.status?.state === 'ready';
    if (isReady()) return true;
    let subscription: vscode.Disposable | undefined;
    const changed = new Promise<boolean>((resolve) => {
      subscription = this.onDidChangeState(({ kind }) => {
        if (isReady() || kind === 'failed') resolve(isReady());
      });
    });
    try {
      return await Promise.race([changed, resolveAfter(timeoutMs, false)]);
    } finally {
      subscription?.dispose();
    }
  }

  /**
   * Returns the server's explanation of recent requests, in Markdown; undefined while no server runs.
   *
   * @param uri the document whose requests are explained; all documents if undefined.
   */
  async explain(uri: vscode.Uri | undefined): Promise<string | undefined> {
    const { client } = this;
    if (client === undefined) return undefined;
    const params = uri === undefined ? {} : { uri: client.code2ProtocolConverter.asUri(uri) };
    return (await client.sendRequest<Explanation>('fimLsp/explain', params)).markdown;
  }

  /** Returns what was accepted on the last days; undefined while no server runs, or it is too old to tell. */
  async usage(): Promise<Usage | undefined> {
    try {
      return await this.client?.sendRequest<Usage>('fimLsp/stats', {});
    } catch (error) {
      this.output.debug(`fimLsp/stats: ${String(error)}`);
      return undefined;
    }
  }

  /**
   * Asks for a suggestion as typing does, and returns what came of it; undefined while no server runs.
   *
   * A suggestion that comes is in the server's cache then, for VS Code to show.
   */
  async tryAt(uri: vscode.Uri, position: vscode.Position): Promise<Trace | undefined> {
    const { client } = this;
    if (client === undefined) return undefined;
    const { code2ProtocolConverter: convert } = client;
    await client.sendRequest('textDocument/inlineCompletion', {
      textDocument: { uri: convert.asUri(uri) },
      position: convert.asPosition(position),
      context: { triggerKind: AUTOMATIC },
    });
    const params = { uri: convert.asUri(uri) };
    return decisive((await client.sendRequest<Explanation>('fimLsp/explain', params)).traces);
  }

  private async launch(detail: string): Promise<void> {
    const attempt = ++this.attempt;
    clearTimeout(this.restartTimer);
    this.setState({ kind: 'starting', detail });
    await this.closeSession();
    let connection: Connection | undefined;
    try {
      connection = await this.connect();
      if (attempt !== this.attempt) {
        await connection.close();
        return;
      }
      const failure = await this.initialize(connection);
      if (attempt !== this.attempt) return;
      if (failure !== undefined) throw new ConnectionError(failure);
    } catch (error) {
      if (attempt === this.attempt) await this.handleStartFailure(error);
      return;
    }
    void connection.ended.then((message) => this.handleExit(attempt, message));
  }

  private async connect(): Promise<Connection> {
    const { address, command } = readClientSettings();
    const server = command.length > 0 ? command : await this.pythonCommand();
    const whole = address === '' ? server : [...server, 'connect', address];
    const [program = '', ...args] = whole;
    const connection = await startServer([program, ...args], this.locator.workingFolder, (line) => {
      this.output.info(`server: ${line}`);
    });
    this.output.info(`server process ${connection.pid ?? 'unknown'} started: ${whole.join(' ')}`);
    return connection;
  }

  private async pythonCommand(): Promise<string[]> {
    const found = await this.locator.find();
    if (found.kind === 'not found') {
      if (found.base === undefined) throw new Failure(found.message, ['settings', 'restart']);
      throw new Failure(found.message, ['install', 'settings'], found.isSetUpMissing);
    }
    this.output.info(`Python ${found.version} (${found.candidate.path}, from ${found.candidate.origin})`);
    return [found.candidate.path, '-m', 'fim_lsp'];
  }

  /** Initializes a new server; returns a sentence if that fails. */
  private async initialize(connection: Connection): Promise<string | undefined> {
    const { address } = readClientSettings();
    const where = address === '' ? t('process {0}', connection.pid ?? '-') : t('shared, at {0}', address);
    const client = createClient(connection, this.output, this.middleware);
    this.session = { client, connection };
    client.onNotification('fimLsp/status', (status: ServerStatus) => {
      if (this.session?.client === client) this.setState({ kind: 'running', status, where });
    });
    client.onNotification('fimLsp/documentState', (document: DocumentState) => {
      if (this.session?.client === client) this.documentChanges.fire(document);
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => {
        resolve(t('The server did not answer within {0} s.', START_TIMEOUT_MS / 1000));
      }, START_TIMEOUT_MS);
    });
    const started = client.start().then(
      () => undefined,
      // How the process ended says more than that the connection did.
      (error: unknown) => Promise.race([connection.ended, resolveAfter(EXIT_MESSAGE_TIMEOUT_MS, String(error))]),
    );
    try {
      const failure = await Promise.race([started, connection.ended, late]);
      if (failure === undefined && this.session.client === client && this.state.kind !== 'running') {
        this.setState({ kind: 'running', status: undefined, where });
      }
      return failure;
    } finally {
      clearTimeout(timer);
    }
  }

  private async handleStartFailure(error: unknown): Promise<void> {
    await this.closeSession();
    const message = error instanceof Error ? error.message : String(error);
    if (this.backoff.count > 0) {
      this.restartLater(message);
    } else if (error instanceof Failure) {
      this.fail(error);
    } else {
      const isShared = readClientSettings().address !== '';
      this.fail(new Failure(message, isShared ? ['serve', 'restart', 'output'] : ['restart', 'output']));
    }
  }

  private async handleExit(attempt: number, message: string): Promise<void> {
    if (attempt !== this.attempt) return;
    await this.closeSession();
    if (attempt === this.attempt) this.restartLater(message);
  }

  private restartLater(message: string): void {
    const delay = this.backoff.next(Date.now());
    if (delay === undefined) {
      const minutes = WINDOW_MS / 60_000;
      this.fail(new Failure(
        t('{0} It was restarted {1} times within {2} minutes and is left alone now. The output says more; Restart ' +
          'tries again.', message, MAX_RESTARTS, minutes),
        ['restart', 'output'],
      ));
      return;
    }
    this.output.warn(`${message} Restarting in ${delay / 1000} s (${this.backoff.count} of ${MAX_RESTARTS}).`);
    const detail = t('restarting, {0} of {1}: {2}', this.backoff.count, MAX_RESTARTS, message);
    this.setState({ kind: 'starting', detail });
    this.restartTimer = setTimeout(() => void this.launch(detail), delay);
  }

  private fail(failure: Failure): void {
    this.setFailed(failure.message, failure.isSetUpMissing);
    this.failures.fire(failure);
  }

  private async closeSession(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    if (session === undefined) return;
    try {
      await session.client.dispose(STOP_TIMEOUT_MS);
    } catch (error) {
      this.output.debug(`stopping the client: ${String(error)}`);  // it had failed or lost its server
    }
    await session.connection.close();
  }

  private setState(state: ProcessState): void {
    this.state = state;
    this.stateChanges.fire(state);
  }
}

function resolveAfter<T>(ms: number, value: T): Promise<T> {
  return new Promise((resolve) => {
    setTimeout(() => { resolve(value); }, ms);
  });
}
