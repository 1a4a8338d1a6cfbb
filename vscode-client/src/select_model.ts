/** The command Select Model: the models on this machine with their size and the speed measured here. */

import * as vscode from 'vscode';
import { listModels, measure, MOST_BYTES_MEASURED_UNASKED, sizeOf, speedOf, type Model, type Speed } from './models.ts';

interface Item extends vscode.QuickPickItem {
  readonly model: Model;
}

const MEASURE: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon('dashboard'),
  tooltip: 'Measure the speed of this model here; it is loaded a second time for that',
};

/** Speeds by the hash of the weights; machines differ, so they are not synchronised. */
export class Speeds {
  private readonly memento: vscode.Memento;

  constructor(memento: vscode.Memento) {
    this.memento = memento;
  }

  get(model: Model): Speed | undefined {
    return this.memento.get<Speed>(`speed:${model.sha256}`);
  }

  async set(model: Model, speed: Speed): Promise<void> {
    await this.memento.update(`speed:${model.sha256}`, speed);
  }
}

/**
 * Let the user choose; the name of the model, or undefined.
 *
 * Small models that were never measured are measured while the list is open.
 */
export async function selectModel(
  python: string,
  folder: string,
  current: string,
  speeds: Speeds,
  output: vscode.LogOutputChannel,
): Promise<string | undefined> {
  const models = await listModels(python, folder);
  const pick = vscode.window.createQuickPick<Item>();
  const notes = new Map<string, string>();
  const closed = new AbortController();
  const isClosed = (): boolean => closed.signal.aborted;
  const describe = (model: Model): Item => {
    const speed = speeds.get(model);
    const note = notes.get(model.name) ?? (speed === undefined ? 'speed not measured yet' : speedOf(speed));
    return {
      model,
      label: model.problem === '' ? model.name : `$(warning) ${model.name}`,
      description: model.name === current ? 'in use' : '',
      detail: model.problem === '' ? `${sizeOf(model)}; ${note}` : model.problem,
      buttons: model.problem === '' ? [MEASURE] : [],
    };
  };
  const refresh = (): void => {
    const active = pick.activeItems[0]?.model.name;
    pick.items = models.map(describe);
    pick.activeItems = pick.items.filter(({ model }) => model.name === active);
  };
  let queue = Promise.resolve();
  const enqueue = (model: Model): void => {
    notes.set(model.name, 'measuring ...');
    pick.busy = true;
    refresh();
    const mine = queue = queue.then(async () => {
      if (isClosed()) return;
      try {
        await speeds.set(model, await measure(python, folder, model.name, closed.signal));
        notes.delete(model.name);
      } catch (error) {
        if (isClosed()) return;
        output.warn(`measuring ${model.name}: ${String(error)}`);
        notes.set(model.name, error instanceof Error ? error.message : String(error));
      }
      if (mine === queue) pick.busy = false;
      refresh();
    });
  };

  pick.title = 'FIM LSP: Select Model';
  pick.placeholder = 'More are added with: fim-runtime models add ORG/NAME';
  pick.matchOnDetail = true;
  pick.keepScrollPosition = true;
  pick.items = models.map(describe);
  pick.activeItems = pick.items.filter(({ model }) => model.name === current);
  pick.onDidTriggerItemButton(({ item }) => { enqueue(item.model); });
  const chosen = new Promise<string | undefined>((resolve) => {
    pick.onDidAccept(() => {
      const model = pick.activeItems[0]?.model;
      if (model?.problem === '') {
        resolve(model.name);
        pick.hide();
      }
    });
    pick.onDidHide(() => { resolve(undefined); });
  });
  pick.show();
  for (const model of models) {
    const isSmall = model.bytes <= MOST_BYTES_MEASURED_UNASKED;
    if (model.problem === '' && isSmall && speeds.get(model) === undefined) enqueue(model);
  }
  try {
    return await chosen;
  } finally {
    closed.abort();
    pick.dispose();
  }
}
