// Checks a stdio server with the protocol types and the JSON-RPC of the LSP authors, so that pygls does not
// judge itself.  Prints one JSON object with what was seen.
//
//     NODE_PATH=.../node_modules node wire_check.cjs COMMAND [ARGS...]
//
// The server is tests/protocol/scripted_server.py: text that ends in "hang" is answered only when cancelled.
const { spawn } = require('node:child_process');
const lsp = require('vscode-languageserver-protocol/node');

const [command, ...args] = process.argv.slice(2);
const uri = 'file:///wire.py';
const seen = { statuses: [], documentStates: [] };

function ask(connection, line, character, triggerKind, token) {
  const params = { textDocument: { uri }, position: { line, character }, context: { triggerKind } };
  return connection.sendRequest(lsp.InlineCompletionRequest.type, params, token);
}

async function main() {
  const server = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => server.on('exit', resolve));
  const reader = new lsp.StreamMessageReader(server.stdout);
  const connection = lsp.createProtocolConnection(reader, new lsp.StreamMessageWriter(server.stdin));
  connection.onNotification('fimLsp/status', (status) => seen.statuses.push(status.state));
  connection.onNotification('fimLsp/documentState', ({ state }) => seen.documentStates.push(state));
  connection.onError(([error]) => {
    console.error(`the wire is broken: ${error.message}`);
    server.kill();
    process.exit(1);
  });
  connection.listen();

  const { capabilities } = await connection.sendRequest(lsp.InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    workspaceFolders: null,
    capabilities: {
      textDocument: { inlineCompletion: { dynamicRegistration: true } },
      general: { positionEncodings: ['utf-16'] },
      experimental: { fimLsp: { documentState: true } },
    },
  });
  seen.provider = capabilities.inlineCompletionProvider;
  seen.encoding = capabilities.positionEncoding;
  seen.commands = capabilities.executeCommandProvider?.commands;
  await connection.sendNotification(lsp.InitializedNotification.type, {});

  const { Automatic, Invoked } = lsp.InlineCompletionTriggerKind;
  await connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, {
    textDocument: { uri, languageId: 'python', version: 1, text: '# \u{1F600}\nx = \nhang' },
  });
  seen.automatic = await ask(connection, 1, 4, Automatic);
  seen.invoked = (await ask(connection, 1, 4, Invoked)).items.length;
  seen.behindEmoji = (await ask(connection, 0, 4, Automatic)).items[0].range;

  const source = new lsp.CancellationTokenSource();
  const hanging = ask(connection, 2, 4, Automatic, source.token);
  setTimeout(() => source.cancel(), 50);
  seen.cancelled = await hanging.then(() => null, (error) => error.code);

  const [item] = seen.automatic.items;
  seen.acceptance = await connection.sendRequest(lsp.ExecuteCommandRequest.type, item.command);
  const explanation = await connection.sendRequest('fimLsp/explain', { uri });
  seen.traces = explanation.traces.length;
  seen.markdown = explanation.markdown;
  const settings = { fimLsp: { languages: { python: false } } };
  await connection.sendNotification(lsp.DidChangeConfigurationNotification.type, { settings });

  await connection.sendRequest(lsp.ShutdownRequest.type);
  await connection.sendNotification(lsp.ExitNotification.type);
  seen.exitCode = await exited;
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
