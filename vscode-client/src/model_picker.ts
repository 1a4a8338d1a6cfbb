/** Lets the user choose among the models on this machine, by their size and the speed measured here. */

import * as vscode from 'vscode';
import { SECTION, updateSetting } from './configuration.ts';
import { Failure, type Remedy } from './failure.ts';
import {
  formatSize, formatSpeed, listModels, MAX_BYTES_MEASURED_UNASKED, measure, type Model, type Speed,
} from './models.ts';
import type { PythonLocator } from './python_locator.ts';
import type { Remedies } from './remedies.ts';

/** The command Select Model. */
export class ModelPicker {
  private readonly memento: vscode.Memento;
  private readonly locator: PythonLocator;
  private readonly remedies: Remedies;
  private readonly output: vscode.LogOutputChannel;

  constructor(
    memento: vscode.Memento, locator: PythonLocator, remedies: Remedies, output: vscode.LogOutputChannel,
  ) {
    this.memento = memento;
    this.locator = locator;
    this.remedies = remedies;
    this.output = output;
  }

  /** Shows the models and sets `fimLsp.model` to the chosen one. */
  async run(): Promise<void> {
    const found = await this.locator.find();
    if (found.kind === 'not found') {
      const remedies: Remedy[] = found.base === undefined ? ['settings'] : ['install', 'settings'];
      await this.remedies.offer(new Failure(found.message, remedies));
      return;
    }
    const python = found.candidate.path;
    const folder = this.locator.workingFolder;
    let models: Model[];
    try {
      models = await listModels(python, folder);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.output.error(`models: ${why}`);
      await this.remedies.offer(new Failure(
        `The models cannot be listed: ${why}. Check the installation with: ${python} -m fim_lsp doctor`, ['output'],
      ));
      return;
    }
    const current = vscode.workspace.getConfiguration(SECTION).get<string>('model') ?? 'default';
    const list = new ModelList(models, current, new SpeedStore(this.memento), this.output,
      (model, signal) => measure(python, folder, model.name, signal));
    const model = await list.show();
    if (model !== undefined) await updateSetting('model', model);
  }
}

/** Keeps speeds by the hash of the weights; they are not synchronized, because machines differ. */
class SpeedStore {
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

interface Item extends vscode.QuickPickItem {
  readonly model: Model;
}

const MEASURE: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon('dashboard'),
  tooltip: 'Measure the speed of this model here; it is loaded a second time for that',
};

/** A list of models; while it is open, one model after the other is measured. */
class ModelList {
  private readonly models: readonly Model[];
  private readonly current: string;
  private readonly speeds: SpeedStore;
  private readonly output: vscode.LogOutputChannel;
  private readonly measure: (model: Model, signal: AbortSignal) => Promise<Speed>;
  private readonly pick = vscode.window.createQuickPick<Item>();
  private readonly closed = new AbortController();
  /** Text in place of a model's speed, by the model's name. */
  private readonly notes = new Map<string, string>();
  private lastMeasurement = Promise.resolve();

  constructor(
    models: readonly Model[], current: string, speeds: SpeedStore, output: vscode.LogOutputChannel,
    measure: (model: Model, signal: AbortSignal) => Promise<Speed>,
  ) {
    this.models = models;
    this.current = current;
    this.speeds = speeds;
    this.output = output;
    this.measure = measure;
  }

  /** Shows the list; returns the name of the chosen model, or undefined. */
  async show(): Promise<string | undefined> {
    const { pick } = this;
    pick.title = 'FIM LSP: Select Model';
    pick.placeholder = 'More are added with: fim-runtime models add ORG/NAME';
    pick.matchOnDetail = true;
    pick.keepScrollPosition = true;
    pick.items = this.models.map((model) => this.describe(model));
    pick.activeItems = pick.items.filter(({ model }) => model.name === this.current);
    pick.onDidTriggerItemButton(({ item }) => { this.enqueue(item.model); });
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
    for (const model of this.models) {
      const isSmall = model.bytes <= MAX_BYTES_MEASURED_UNASKED;
      if (model.problem === '' && isSmall && this.speeds.get(model) === undefined) this.enqueue(model);
    }
    try {
      return await chosen;
    } finally {
      this.closed.abort();
      pick.dispose();
    }
  }

  private isClosed(): boolean {
    return this.closed.signal.aborted;
  }

  /** Measures a model after those that wait already. */
  private enqueue(model: Model): void {
    this.notes.set(model.name, 'measuring ...');
    this.pick.busy = true;
    this.refresh();
    const measurement = this.lastMeasurement = this.lastMeasurement.then(async () => {
      if (this.isClosed()) return;
      try {
        await this.speeds.set(model, await this.measure(model, this.closed.signal));
        this.notes.delete(model.name);
      } catch (error) {
        if (this.isClosed()) return;
        this.output.warn(`measuring ${model.name}: ${String(error)}`);
        this.notes.set(model.name, error instanceof Error ? error.message : String(error));
      }
      if (measurement === this.lastMeasurement) this.pick.busy = false;
      this.refresh();
    });
  }

  private refresh(): void {
    const active = this.pick.activeItems[0]?.model.name;
    this.pick.items = this.models.map((model) => this.describe(model));
    this.pick.activeItems = this.pick.items.filter(({ model }) => model.name === active);
  }

  private describe(model: Model): Item {
    const description = model.name === this.current ? 'in use' : '';
    if (model.problem !== '') {
      return { model, label: `$(warning) ${model.name}`, description, detail: model.problem, buttons: [] };
    }
    const speed = this.speeds.get(model);
    const note = this.notes.get(model.name) ?? (speed === undefined ? 'speed not measured yet' : formatSpeed(speed));
    return { model, label: model.name, description, detail: `${formatSize(model)}; ${note}`, buttons: [MEASURE] };
  }
}
