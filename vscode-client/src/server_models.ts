/** Asks the running server about models, and has it fetch and use them. */

import { randomUUID } from 'node:crypto';
import {
  ExecuteCommandRequest, LSPErrorCodes, ResponseError, WorkDoneProgress, type LanguageClient,
} from 'vscode-languageclient/node';
import type { Models } from './models.ts';

/** Returns the models on this machine and those of the catalogue. */
export function listModels(client: LanguageClient): Promise<Models> {
  return client.sendRequest<Models>('fimLsp/models', {});
}

/**
 * Makes an installed model the one that all editors use.
 *
 * @returns what keeps it from being used here, in one sentence; empty for nothing.
 * @throws Error with the server's sentence, if it cannot be used at all.
 */
export async function useModel(client: LanguageClient, name: string): Promise<string> {
  const params = { command: 'fimLsp.useModel', arguments: [{ name }] };
  return ((await client.sendRequest(ExecuteCommandRequest.type, params)) as Answer).message;
}

/**
 * Fetches a model of the catalogue, with whose license the user agrees, and uses it.
 *
 * The client's middleware shows the progress.
 *
 * @returns as `useModel`; undefined if the user cancelled.
 * @throws Error with the server's sentence, if it failed.
 */
export async function addModel(client: LanguageClient, name: string): Promise<string | undefined> {
  const workDoneToken = `fim-lsp-add-${randomUUID()}`;
  const progress = client.onProgress(WorkDoneProgress.type, workDoneToken, () => undefined);
  const params = { command: 'fimLsp.addModel', arguments: [{ name, acceptLicense: true }], workDoneToken };
  try {
    return ((await client.sendRequest(ExecuteCommandRequest.type, params)) as Answer).message;
  } catch (error) {
    if (error instanceof ResponseError && error.code === LSPErrorCodes.RequestCancelled) return undefined;
    throw error;
  } finally {
    progress.dispose();
  }
}

/** Answer of the server's commands about models. */
interface Answer {
  readonly message: string;
}
