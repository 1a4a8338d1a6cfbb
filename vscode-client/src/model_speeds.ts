/** Measures speeds of models and keeps them by the hash of the weights; not synchronized, because machines differ. */

import type * as vscode from 'vscode';
import type { ModelPrograms } from './model_programs.ts';
import type { InstalledModel, Speed } from './models.ts';

export class ModelSpeeds {
  private readonly memento: vscode.Memento;
  private readonly programs: ModelPrograms;

  constructor(memento: vscode.Memento, programs: ModelPrograms) {
    this.memento = memento;
    this.programs = programs;
  }

  /** Returns the speed that was measured last, on this machine. */
  get(model: InstalledModel): Speed | undefined {
    return this.memento.get<Speed>(keyOf(model));
  }

  /** Measures the speed anew; throws an Error with a sentence, if the model does not run. */
  async measure(model: InstalledModel, signal: AbortSignal): Promise<void> {
    await this.memento.update(keyOf(model), await this.programs.measure(model.name, signal));
  }
}

function keyOf(model: InstalledModel): string {
  return `speed:${model.sha256}`;
}
