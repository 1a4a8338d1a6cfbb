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

/** Makes an installed model the one that all editors use. */
export async function useModel(client: LanguageClient, name: string): Promise<void> {
  await client.sendRequest(ExecuteCommandRequest.type, { command: 'fimLsp.useModel', arguments: [{ name }] });
}

/**
 * Fetches a model of the catalogue, whose licence the user agrees with, and uses it.
 *
 * The client's middleware shows the progress.
 *
 * @returns whether it is there; false if the user cancelled.
 * @throws Error with the server's sentence, if it failed.
 */
export async function addModel(client: LanguageClient, name: string): Promise<boolean> {
  const workDoneToken = `fim-lsp-add-${randomUUID()}`;
  const progress = client.onProgress(WorkDoneProgress.type, workDoneToken, () => undefined);
  try {
    const answer: unknown = await client.sendRequest(ExecuteCommandRequest.type, {
      command: 'fimLsp.addModel', arguments: [{ name, acceptLicense: true }], workDoneToken,
    });
    return answer !== null;
  } catch (error) {
    if (error instanceof ResponseError && error.code === LSPErrorCodes.RequestCancelled) return false;
    throw error;
  } finally {
    progress.dispose();
  }
}
