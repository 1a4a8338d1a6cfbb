/** Has the server fetch a model, after the user has agreed with its license. */

import * as vscode from 'vscode';
import { t } from './l10n.ts';
import { formatBytes, type AvailableModel } from './models.ts';
import type { Server } from './server.ts';
import { addModel } from './server_models.ts';

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
      if (server.client === undefined) throw new Error(t('The server is not running. Restart it, then try again.'));
      return await addModel(server.client, model.name);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      output.error(`adding ${model.name}: ${why}`);
      const [tryAgain, selectAnother, showOutput] = [t('Try Again'), t('Select Another Model'), t('Show Output')];
      const choice = await vscode.window.showErrorMessage(`FIM LSP: ${why}`, tryAgain, selectAnother, showOutput);
      if (choice === showOutput) output.show();
      if (choice === selectAnother) void vscode.commands.executeCommand('fimLsp.selectModel');
      if (choice !== tryAgain) return undefined;
    }
  }
}

async function isLicenseAccepted({ name, license, licenseUrl, downloadBytes }: AvailableModel): Promise<boolean> {
  const [agree, openLicense] = [t('Agree and Download ({0})', formatBytes(downloadBytes)), t('Open the License')];
  const detail = t('The license is {0}. It restricts what you may do with the model; read it before you agree.',
    license);
  const buttons = licenseUrl === '' ? [agree] : [agree, openLicense];
  for (;;) {
    const question = t('Do you agree with the license of {0}?', name);
    const choice = await vscode.window.showInformationMessage(question, { modal: true, detail }, ...buttons);
    if (choice !== openLicense) return choice === agree;
    await vscode.env.openExternal(vscode.Uri.parse(licenseUrl));
  }
}
