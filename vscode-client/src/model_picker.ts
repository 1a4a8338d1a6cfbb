/** Lets the user choose, fetch and remove models. */

import * as vscode from 'vscode';
import { changeModelInSettings, modelInSettings } from './configuration.ts';
import { Failure, type Remedy } from './failure.ts';
import { t } from './l10n.ts';
import { download } from './model_download.ts';
import { ModelList, type Choice } from './model_list.ts';
import { ModelPrograms } from './model_programs.ts';
import { ModelSpeeds } from './model_speeds.ts';
import { formatBytes, type InstalledModel, type Models } from './models.ts';
import type { PythonLocator } from './python_locator.ts';
import type { Remedies } from './remedies.ts';
import type { Server } from './server.ts';
import { listModels, useModel } from './server_models.ts';

/** Name of the model that comes with the server. */
const EMBEDDED = 'default';

/** The command Select Model. */
export class ModelPicker {
  private readonly memento: vscode.Memento;
  private readonly locator: PythonLocator;
  private readonly server: Server;
  private readonly remedies: Remedies;
  private readonly output: vscode.LogOutputChannel;

  constructor(
    memento: vscode.Memento, locator: PythonLocator, server: Server, remedies: Remedies,
    output: vscode.LogOutputChannel,
  ) {
    this.memento = memento;
    this.locator = locator;
    this.server = server;
    this.remedies = remedies;
    this.output = output;
  }

  /** Shows the models of the running server, or of its programs where none runs, and does what the user chooses. */
  async run(): Promise<void> {
    const found = await this.locator.find();
    const programs = found.kind === 'found'
      ? new ModelPrograms(found.candidate.path, this.locator.workingFolder) : undefined;
    if (found.kind === 'not found' && this.server.client === undefined) {
      const remedies: Remedy[] = found.base === undefined ? ['settings'] : ['install', 'settings'];
      await this.remedies.offer(new Failure(found.message, remedies));
      return;
    }
    const speeds = programs && new ModelSpeeds(this.memento, programs);
    try {
      let choice: Choice | undefined;
      do {
        const list = new ModelList(await this.list(programs), this.server.adding, speeds, this.output);
        choice = await list.show();
        if (choice !== undefined) await this.apply(choice, programs);
      } while (choice?.kind === 'remove');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.output.error(`models: ${why}`);
      await this.remedies.offer(new Failure(why, ['output']));
    }
  }

  private async list(programs: ModelPrograms | undefined): Promise<Models> {
    if (this.server.client !== undefined) return listModels(this.server.client);
    const current = modelInSettings();
    const installed = (await programs?.list()) ?? [];
    return { installed: installed.map((model) => ({ ...model, isCurrent: model.name === current })), available: [] };
  }

  private async apply(choice: Choice, programs: ModelPrograms | undefined): Promise<void> {
    if (choice.kind === 'fetch') {
      const obstacle = await download(choice.model, this.server, this.output);
      if (obstacle !== undefined && !(await changeModelInSettings(choice.model.name))) warn(obstacle);
    } else if (choice.kind === 'use') {
      await this.use(choice.model.name, programs);
    } else {
      await this.remove(choice.model, programs);
    }
  }

  /** Chooses a model for all editors; where a setting names one, which counts more, it changes that. */
  private async use(name: string, programs: ModelPrograms | undefined): Promise<void> {
    if (await changeModelInSettings(name)) return;
    if (this.server.client !== undefined) warn(await useModel(this.server.client, name));
    else await programs?.use(name);
  }

  private async remove({ name, bytes, isCurrent }: InstalledModel, programs: ModelPrograms | undefined): Promise<void> {
    const [remove, detail] = [t('Remove'), t('{0} become free. It can be fetched again.', formatBytes(bytes))];
    const choice = await vscode.window.showWarningMessage(t('Remove {0}?', name), { modal: true, detail }, remove);
    if (choice !== remove) return;
    if (isCurrent) await this.use(EMBEDDED, programs);
    await programs?.remove(name);
  }
}

/** Shows what keeps a model from being used, if anything does. */
function warn(obstacle: string): void {
  if (obstacle !== '') void vscode.window.showWarningMessage(`FIM LSP: ${obstacle}`);
}
