/** Shows the models in a list: those on this machine, with measured speeds, and those that can be fetched. */

import * as vscode from 'vscode';
import { t } from './l10n.ts';
import {
  availableInOrder, formatMemory, formatSize, formatSpeed, MAX_BYTES_MEASURED_UNASKED,
  type AvailableModel, type InstalledModel, type Models, type Speed,
} from './models.ts';

/** A model, with what the user wants done with it. */
export type Choice =
  | { readonly kind: 'use' | 'remove'; readonly model: InstalledModel }
  | { readonly kind: 'fetch'; readonly model: AvailableModel };

/** Measures the speed of an installed model, and keeps it. */
export interface Speeds {
  get(model: InstalledModel): Speed | undefined;
  measure(model: InstalledModel, signal: AbortSignal): Promise<void>;
}

interface Item extends vscode.QuickPickItem {
  /** Choice of those who press Enter here; undefined for a row that cannot be chosen. */
  readonly choice?: Choice;
  readonly name?: string;
}

interface Button extends vscode.QuickInputButton {
  readonly run: () => void;
}

/** A list of models; while it is open, one installed model after the other is measured. */
export class ModelList {
  private readonly models: Models;
  /** Name of the model that is being fetched; empty for none. */
  private readonly adding: string;
  private readonly speeds: Speeds | undefined;
  private readonly output: vscode.LogOutputChannel;
  private readonly pick = vscode.window.createQuickPick<Item>();
  private readonly closed = new AbortController();
  /** Text in place of an installed model's speed, by the model's name. */
  private readonly notes = new Map<string, string>();
  private lastMeasurement = Promise.resolve();
  private choose: (choice: Choice | undefined) => void = () => undefined;

  constructor(models: Models, adding: string, speeds: Speeds | undefined, output: vscode.LogOutputChannel) {
    this.models = models;
    this.adding = adding;
    this.speeds = speeds;
    this.output = output;
  }

  /** Shows the list; returns what the user chose, or undefined. */
  async show(): Promise<Choice | undefined> {
    const { pick } = this;
    pick.title = t('FIM LSP: Select Model');
    pick.placeholder = t('Type to search by name, size or license');
    pick.matchOnDescription = true;
    pick.matchOnDetail = true;
    pick.keepScrollPosition = true;
    pick.items = this.items();
    const current = this.models.installed.find(({ isCurrent }) => isCurrent)?.name;
    pick.activeItems = pick.items.filter(({ name }) => name !== undefined && name === current);
    pick.onDidTriggerItemButton(({ button }) => { (button as Button).run(); });
    const chosen = new Promise<Choice | undefined>((resolve) => {
      this.choose = resolve;
      pick.onDidAccept(() => {
        const choice = pick.activeItems[0]?.choice;
        if (choice !== undefined) resolve(choice);
      });
      pick.onDidHide(() => { resolve(undefined); });
    });
    pick.show();
    for (const model of this.models.installed) {
      const isSmall = model.bytes <= MAX_BYTES_MEASURED_UNASKED;
      if (model.problem === '' && isSmall && this.speeds?.get(model) === undefined) this.enqueue(model);
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
  private enqueue(model: InstalledModel): void {
    const { speeds } = this;
    if (speeds === undefined) return;
    this.notes.set(model.name, t('measuring ...'));
    this.pick.busy = true;
    this.refresh();
    const measurement = this.lastMeasurement = this.lastMeasurement.then(async () => {
      if (this.isClosed()) return;
      try {
        await speeds.measure(model, this.closed.signal);
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
    const active = this.pick.activeItems[0]?.name;
    this.pick.items = this.items();
    this.pick.activeItems = this.pick.items.filter(({ name }) => name !== undefined && name === active);
  }

  private items(): Item[] {
    const { installed } = this.models;
    const available = availableInOrder(this.models.available);
    return [
      ...group(t('on this machine'), installed.map((model) => this.describeInstalled(model))),
      ...group(t('can be fetched'), available.map((model) => this.describeAvailable(model))),
    ];
  }

  private describeInstalled(model: InstalledModel): Item {
    const { name, problem } = model;
    const remove = button('trash', t('Remove {0} from this machine', name),
      () => { this.choose({ kind: 'remove', model }); });
    const buttons = model.isRemovable && this.speeds !== undefined ? [remove] : [];
    const size = [formatSize(model), formatMemory(model, this.models.available)].filter(Boolean).join(', ');
    if (problem !== '') return { name, label: `$(warning) ${name}`, detail: problem, buttons };
    const measured = this.speeds?.get(model);
    const known = measured === undefined ? t('speed not measured yet') : formatSpeed(measured);
    const speed = this.notes.get(name) ?? known;
    const whatFor = t('Measure the speed of this model here; it is loaded a second time for that');
    const measure = button('dashboard', whatFor, () => { this.enqueue(model); });
    return {
      name,
      label: name,
      description: model.isCurrent ? t('in use: {0}', size) : size,
      detail: speed,
      buttons: this.speeds === undefined ? [] : [measure, ...buttons],
      choice: { kind: 'use', model },
    };
  }

  private describeAvailable(model: AvailableModel): Item {
    const { name, licenseUrl, isRecommended, fits } = model;
    const read = button('law', t('Read the license'), () => void vscode.env.openExternal(vscode.Uri.parse(licenseUrl)));
    const icon = isRecommended ? '$(star-full) ' : fits ? '' : '$(warning) ';
    const item: Item = {
      name,
      label: icon + name,
      description: isRecommended ? t('recommended: {0}', formatSize(model)) : formatSize(model),
      detail: model.why,
      buttons: licenseUrl === '' ? [] : [read],
    };
    if (name === this.adding) return { ...item, detail: `$(cloud-download) ${t('is being fetched')}` };
    return { ...item, choice: { kind: 'fetch', model } };
  }
}

function group(label: string, items: Item[]): Item[] {
  return items.length === 0 ? [] : [{ label, kind: vscode.QuickPickItemKind.Separator }, ...items];
}

function button(icon: string, tooltip: string, run: () => void): Button {
  return { iconPath: new vscode.ThemeIcon(icon), tooltip, run };
}
