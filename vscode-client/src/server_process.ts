/**
 * Runs the server as a child process, or `fim-lsp connect`, which joins the window to a shared server.
 *
 * The module does not import `vscode`.  It does what a language client does not: it checks that only messages arrive
 * on the server's standard output, and it describes in one sentence how the server ended.
 */

import { spawn } from 'node:child_process';
import { Transform } from 'node:stream';
import { lastLine } from './interpreter.ts';
import { t } from './l10n.ts';

const KEPT_LINES = 20;
const KILL_AFTER_MS = 2_000;

/** A running child process with the streams of its messages. */
export interface Connection {
  readonly reader: NodeJS.ReadableStream;
  readonly writer: NodeJS.WritableStream;
  /** Id of the child; undefined once it is gone. */
  readonly pid: number | undefined;
  /** Resolves with a sentence about the end, whether or not anybody reads. */
  readonly ended: Promise<string>;
  /** Ends the child, by force if need be; a shared server goes on. */
  close(): Promise<void>;
}

/** A failure in one sentence for the user. */
export class ConnectionError extends Error {}

/**
 * Starts a server on pipes.
 *
 * @param onLine called with each line of its standard error.
 * @throws ConnectionError if the program cannot be started.
 */
export function startServer(
  command: readonly [string, ...string[]],
  folder: string,
  onLine: (line: string) => void,
): Promise<Connection> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: folder, stdio: 'pipe', windowsHide: true });
    const errors: string[] = [];
    let garbage: string | undefined;
    const wire = new WireCheck((text) => {
      garbage = text;
      child.kill('SIGKILL');
    });
    child.stdout.pipe(wire);
    eachLine(child.stderr, (line) => {
      errors.push(line);
      errors.splice(0, errors.length - KEPT_LINES);
      onLine(line);
    });
    // A server that is gone cannot be written to; `ended` tells that it is gone.
    child.stdin.on('error', () => undefined);
    const ended = new Promise<string>((end) => {
      // 'close' comes after the last line of standard error, 'exit' may come before.
      child.once('close', (code, signal) => {
        end(exitMessage(program, code, signal, errors, garbage));
      });
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ConnectionError(
        t('{0} cannot be started: {1}. Correct fimLsp.command or fimLsp.interpreter.', program, reason(error)),
      ));
    });
    child.once('spawn', () => {
      resolve({ reader: wire, writer: child.stdin, pid: child.pid, ended, close: () => end(child, ended) });
    });
  });
}

/** Passes bytes on once they begin as a message does; otherwise hands them to `onGarbage` and passes nothing. */
class WireCheck extends Transform {
  private head: Buffer | undefined = Buffer.alloc(0);
  private isBroken = false;
  private readonly onGarbage: (text: string) => void;

  constructor(onGarbage: (text: string) => void) {
    super();
    this.onGarbage = onGarbage;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.head === undefined) {
      this.push(chunk);
    } else if (!this.isBroken) {
      this.head = Buffer.concat([this.head, chunk]);
      const start = this.head.toString('latin1', 0, HEADER.length).toLowerCase();
      if (start === HEADER) {
        this.push(this.head);
        this.head = undefined;
      } else if (!HEADER.startsWith(start)) {
        this.isBroken = true;
        this.onGarbage(this.head.toString('utf8'));
      }
    }
    done();
  }
}

const HEADER = 'content-';

/** Describes in one sentence how the server ended. */
function exitMessage(
  program: string,
  code: number | null,
  signal: NodeJS.Signals | null,
  errors: readonly string[],
  garbage: string | undefined,
): string {
  if (garbage !== undefined) {
    return t('{0} does not speak the protocol: it wrote {1} to its standard output. Check fimLsp.command, and that ' +
      'nothing prints at the start of Python.', program, shown(garbage));
  }
  const how = signal !== null
    ? t('The server was ended by {0}', signal)
    : t('The server ended with exit code {0}', code ?? t('unknown'));
  const last = lastLine(errors.join('\n'));
  return `${how}${last === undefined ? '.' : `: ${last}`}`;
}

async function end(child: ReturnType<typeof spawn>, ended: Promise<string>): Promise<void> {
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  await ended;
  clearTimeout(timer);
}

function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}

function reason(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT': return t('there is no such file');
    case 'EACCES': return t('it may not be executed');
    default: return error.message;
  }
}

function shown(text: string): string {
  const line = text.trim().split(/\r?\n/, 1)[0] ?? '';
  return JSON.stringify(line.length > 60 ? `${line.slice(0, 57)}...` : line);
}
