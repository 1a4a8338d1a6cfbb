/** The life of the server: start, trouble, crash and restart.  Decides nothing about completions. */

import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  type LanguageClientOptions,
  type Middleware,
} from 'vscode-languageclient/node';
import { Backoff, MOST_RESTARTS, WINDOW_MS } from './backoff.ts';
import type { Decision } from './explain.ts';
import type { Pythons } from './python.ts';
import { changeForServer, settingsForServer } from './settings.ts';
import { ConnectionError, startServer, type Connection } from './server_process.ts';
import { SCHEMES, type Life, type ServerStatus } from './status.ts';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 2_000;
const FAREWELL_MS = 1_000;

/** What a message about a failure offers. */
export type Remedy = 'install' | 'output' | 'restart' | 'settings' | 'serve';

/** A failure in the user's words. */
export class Trouble extends Error {
  readonly remedies: readonly Remedy[];

  constructor(message: string, remedies: readonly Remedy[]) {
    super(message);
    this.remedies = remedies;
  }
}

/** Keeps the server from looking through a folder that the user does not trust, whichever way settings reach it. */
const TRUST: Middleware = {
  sendNotification: (type, next, params) => {
    const method = typeof type === 'string' ? type : type.method;
    const isChange = method === 'workspace/didChangeConfiguration';
    return next(type, isChange ? changeForServer(params, vscode.workspace.isTrusted) as typeof params : params);
  },
  workspace: {
    configuration: async (params, token, next) => {
      const answer: unknown = await next(params, token);
      if (!Array.isArray(answer)) return [];
      return answer.map((settings: unknown, index) => params.items[index]?.section === 'fimLsp' && typeof settings === 'object'
        && settings !== null ? settingsForServer(settings, vscode.workspace.isTrusted) : settings);
    },
  },
};

/** Writes its failures to the output and shows none: the user is told once, in our words. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

interface Session {
  readonly client: LanguageClient;
  readonly connection: Connection;
}

export class Server {
  private readonly pythons: Pythons;
  private readonly output: vscode.LogOutputChannel;
  private readonly middleware: Middleware;
  private readonly backoff = new Backoff();
  private readonly lives = new vscode.EventEmitter<Life>();
  private readonly troubles = new vscode.EventEmitter<Trouble>();
  private session: Session | undefined;
  private restarting: NodeJS.Timeout | undefined;
  /** Counts starts and stops; whoever finds it changed after a wait has been overtaken. */
  private turn = 0;
  private life: Life = { kind: 'starting', detail: 'not started yet' };

  /** Fires at each change. */
  readonly onLife = this.lives.event;
  /** Fires once for each failure that the user should hear of. */
  readonly onTrouble = this.troubles.event;

  constructor(pythons: Pythons, output: vscode.LogOutputChannel, middleware: Middleware) {
    this.pythons = pythons;
    this.output = output;
    this.middleware = middleware;
  }

  /** Whether there is a server that can be asked. */
  get isRunning(): boolean {
    return this.life.kind === 'running';
  }

  /** Start, or start again, because the user or the settings say so. */
  async start(): Promise<void> {
    this.backoff.reset();
    await this.begin('starting');
  }

  /** Start while the server that is to be connected to may still be on its way: a failure is tried again. */
  async startWhenListening(): Promise<void> {
    this.backoff.reset();
    this.backoff.next(Date.now());
    await this.begin('waiting for the server');
  }

  /** End the server; does not fail. Says what is done meanwhile, if it is to be started again. */
  async stop(detail?: string): Promise<void> {
    this.turn++;
    if (detail !== undefined) this.live({ kind: 'starting', detail });
    clearTimeout(this.restarting);
    await this.halt();
  }

  /** The last decisions, newest first. */
  async explain(): Promise<Decision[]> {
    if (this.session === undefined || !this.isRunning) return [];
    return this.session.client.sendRequest<Decision[]>('fimLsp/explain', {});
  }

  private async begin(detail: string): Promise<void> {
    const turn = ++this.turn;
    clearTimeout(this.restarting);
    this.live({ kind: 'starting', detail });
    await this.halt();
    let connection: Connection | undefined;
    try {
      connection = await this.connect();
      if (turn !== this.turn) {
        await connection.close();
        return;
      }
      const failure = await this.initialize(connection);
      if (turn !== this.turn) return;
      if (failure !== undefined) throw new ConnectionError(failure);
    } catch (error) {
      if (turn === this.turn) await this.failedToStart(error);
      return;
    }
    void connection.ended.then((sentence) => this.ended(turn, sentence));
  }

  private async connect(): Promise<Connection> {
    const { address, command } = this.pythons.settings;
    const server = command.length > 0 ? command : await this.pythonCommand();
    const whole = address === '' ? server : [...server, 'connect', address];
    const [program = '', ...args] = whole;
    const connection = await startServer([program, ...args], this.pythons.workingFolder, (line) => {
      this.output.info(`server: ${line}`);
    });
    this.output.info(`server process ${connection.pid ?? 'unknown'} started: ${whole.join(' ')}`);
    return connection;
  }

  private async pythonCommand(): Promise<string[]> {
    const found = await this.pythons.find();
    if (found.kind === 'trouble') {
      throw new Trouble(found.message, found.base === undefined ? ['settings', 'restart'] : ['install', 'settings']);
    }
    this.output.info(`Python ${found.version} (${found.candidate.path}, from ${found.candidate.origin})`);
    return [found.candidate.path, '-m', 'fim_lsp'];
  }

  /** Speak with a new server until it is initialized; a sentence if that fails. */
  private async initialize(connection: Connection): Promise<string | undefined> {
    const { reader, writer, pid } = connection;
    const { address } = this.pythons.settings;
    const client = new QuietClient('fimLsp', 'FIM LSP', () => Promise.resolve({ reader, writer }), this.options());
    this.session = { client, connection };
    const where = address === '' ? `process ${pid ?? 'unknown'}` : `shared, at ${address}`;
    client.onNotification('fimLsp/status', (status: ServerStatus) => {
      if (this.session?.client === client) this.live({ kind: 'running', status, where });
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => {
        resolve(`The server did not answer within ${START_TIMEOUT_MS / 1000} s.`);
      }, START_TIMEOUT_MS);
    });
    const started = client.start().then(
      () => undefined,
      // That the process ended says more than that the connection did.
      (error: unknown) => Promise.race([connection.ended, after(FAREWELL_MS, String(error))]),
    );
    try {
      const failure = await Promise.race([started, connection.ended, late]);
      if (failure === undefined && this.session.client === client && !this.isRunning) {
        this.live({ kind: 'running', status: undefined, where });
      }
      return failure;
    } finally {
      clearTimeout(timer);
    }
  }

  private options(): LanguageClientOptions {
    return {
      documentSelector: SCHEMES.map((scheme) => ({ scheme })),
      outputChannel: this.output,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: settingsForServer(vscode.workspace.getConfiguration('fimLsp'), vscode.workspace.isTrusted),
      // The server takes settings that are pushed, and VS Code pushes them when they change.
      synchronize: { configurationSection: 'fimLsp' },
      middleware: { ...this.middleware, ...TRUST },
      // Starting again is this class's work, and so is telling the user.
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true, message: 'the connection is closed' }),
      },
    };
  }

  private async failedToStart(error: unknown): Promise<void> {
    await this.halt();
    const message = error instanceof Error ? error.message : String(error);
    if (this.backoff.count > 0) {
      this.recover(message);
    } else if (error instanceof Trouble) {
      this.fail(error);
    } else {
      const isShared = this.pythons.settings.address !== '';
      this.fail(new Trouble(message, isShared ? ['serve', 'restart', 'output'] : ['restart', 'output']));
    }
  }

  private async ended(turn: number, sentence: string): Promise<void> {
    if (turn !== this.turn) return;
    await this.halt();
    if (turn === this.turn) this.recover(sentence);
  }

  private recover(sentence: string): void {
    const delay = this.backoff.next(Date.now());
    if (delay === undefined) {
      this.fail(new Trouble(
        `${sentence} It was started again ${MOST_RESTARTS} times within ${WINDOW_MS / 60_000} minutes and is left alone now.`,
        ['restart', 'output'],
      ));
      return;
    }
    this.output.warn(`${sentence} Starting again in ${delay / 1000} s (${this.backoff.count} of ${MOST_RESTARTS}).`);
    const detail = `starting again, ${this.backoff.count} of ${MOST_RESTARTS}: ${sentence}`;
    this.live({ kind: 'starting', detail });
    this.restarting = setTimeout(() => void this.begin(detail), delay);
  }

  /** Show that there is no server, and why; whoever calls tells the user. */
  refuse(message: string): void {
    this.output.error(message);
    this.live({ kind: 'failed', message });
  }

  private fail(trouble: Trouble): void {
    this.refuse(trouble.message);
    this.troubles.fire(trouble);
  }

  private async halt(): Promise<void> {
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

  private live(life: Life): void {
    this.life = life;
    this.lives.fire(life);
  }
}

function after<T>(ms: number, value: T): Promise<T> {
  return new Promise((resolve) => {
    setTimeout(() => { resolve(value); }, ms);
  });
}
