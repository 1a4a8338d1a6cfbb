import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer, type Connection } from '../../src/server_process.ts';
import { PYTHON, script, temporaryFolder } from './programs.ts';

const folder = temporaryFolder();

async function start(name: string, lines: string): Promise<{ connection: Connection; errors: string[] }> {
  const errors: string[] = [];
  const connection = await startServer([script(folder, name, lines)], folder, (line) => errors.push(line));
  connection.reader.resume();
  return { connection, errors };
}

const ENDS: [string, string, RegExp][] = [
  [
    'dies at its start', 'echo "Traceback" >&2; echo "ModuleNotFoundError: No module named pygls" >&2; exit 1',
    /^The server ended with exit code 1: ModuleNotFoundError: No module named pygls$/,
  ],
  ['exits without a message', 'exit 3', /^The server ended with exit code 3\.$/],
  ['is killed', 'kill -9 $$', /^The server was ended by SIGKILL\.$/],
  [
    'prints to its standard output', 'echo "Loading model: 100%"; exec sleep 60',
    /does not speak the protocol: it wrote "Loading model: 100%" to its standard output\. Check fimLsp\.command/,
  ],
  [
    'prints letter by letter', 'printf Con; printf dor; exec sleep 60',
    /does not speak the protocol: it wrote "Condor"|it wrote "Con/,
  ],
];
for (const [what, lines, message] of ENDS) {
  test(`the end of a server that ${what} is described in one sentence`, async () => {
    const { connection } = await start(what.replaceAll(' ', '-'), lines);

    assert.match(await connection.ended, message);
  });
}

test('each line of standard error is passed on', async () => {
  const { connection, errors } = await start('chatty', 'echo one >&2; printf "two\\r\\nthree" >&2');
  await connection.ended;

  assert.deepEqual(errors, ['one', 'two', 'three']);
});

test('messages arrive as they were sent, also in pieces', async () => {
  const path = script(folder, 'speaking', 'printf Cont; sleep 0.1; printf "ent-Length: 2\\r\\n\\r\\n{}"');
  const connection = await startServer([path], folder, () => undefined);
  const chunks: Buffer[] = [];
  connection.reader.on('data', (chunk: Buffer) => chunks.push(chunk));
  await connection.ended;

  assert.equal(Buffer.concat(chunks).toString(), 'Content-Length: 2\r\n\r\n{}');
});

test('for a program that is not there the message names the setting to correct', async () => {
  await assert.rejects(
    startServer([`${folder}/none`], folder, () => undefined),
    /none cannot be started: there is no such file\. Correct fimLsp\.command or fimLsp\.interpreter\.$/,
  );
});

test('a server that ignores the end of its input is ended by force', async () => {
  const { connection } = await start('stubborn', 'trap "" TERM; exec 0</dev/null; while :; do sleep 0.1; done');
  await connection.close();

  assert.match(await connection.ended, /SIGKILL/);
});

test('where nothing listens at the address, the message says how to start a server', async () => {
  const command = [PYTHON, '-m', 'fim_lsp', 'connect', '127.0.0.1:9'] as const;
  const connection = await startServer(command, folder, () => undefined);
  connection.reader.resume();

  assert.match(
    await connection.ended,
    /No server answers at 127\.0\.0\.1:9 \(nothing listens there\)\. Start one with: fim-lsp serve --tcp 127.0.0.1:9$/,
  );
});
