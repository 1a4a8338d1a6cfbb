/** Has the server fetch a model, after the user has agreed with its license. */

import * as vscode from 'vscode';
import { formatBytes, type AvailableModel } from './models.ts';
import type { Server } from './server.ts';
import { addModel } from './server_models.ts';

const OPEN_LICENSE = 'Open the License';
const TRY_AGAIN = 'Try Again';
const SHOW_OUTPUT = 'Show Output';
const SELECT_ANOTHER = 'Select Another Model';

/**
 * Fetches a model of the catalogue; the model in use answers meanwhile.
 *
 * @returns what keeps the model from being used now, in one sentence, empty for nothing; undefined if it is not there.
 */
export async function download(
  model: AvailableModel, server: Server, output: vscode.LogOutputChannel,
): Promise<string | undefined> {
  if (!model.isPermissive && !(await isLicenseAccepted(model))) return undefined;
  for (;;) {
    try {
      if (server.client === undefined) throw new Error('The server is not running. Restart it, then try again.');
      return await addModel(server.client, model.name);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      output.error(`adding ${model.name}: ${why}`);
      const buttons = [TRY_AGAIN, SELECT_ANOTHER, SHOW_OUTPUT];
      const choice = await vscode.window.showErrorMessage(`FIM LSP: ${why}`, ...buttons);
      if (choice === SHOW_OUTPUT) output.show();
      if (choice === SELECT_ANOTHER) void vscode.commands.executeCommand('fimLsp.selectModel');
      if (choice !== TRY_AGAIN) return undefined;
    }
  }
}

async function isLicenseAccepted({ name, license, licenseUrl, downloadBytes }: AvailableModel): Promise<boolean> {
  const agree = `Agree and Download (${formatBytes(downloadBytes)})`;
  const detail = `The license is ${license}. It restricts what you may do with the model; read it before you agree.`;
  const buttons = licenseUrl === '' ? [agree] : [agree, OPEN_LICENSE];
  for (;;) {
    const question = `Do you agree with the license of ${name}?`;
    const choice = await vscode.window.showInformationMessage(question, { modal: true, detail }, ...buttons);
    if (choice !== OPEN_LICENSE) return choice === agree;
    await vscode.env.openExternal(vscode.Uri.parse(licenseUrl));
  }
}
