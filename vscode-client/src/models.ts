/** Describes models in words: installed ones, and those of the catalogue; without `vscode`. */

import { t } from './l10n.ts';

/** A model on this machine. */
export interface InstalledModel {
  readonly name: string;
  /** Why it cannot be used; empty if it can. */
  readonly problem: string;
  readonly parameters: number;
  readonly bytes: number;
  /** Hash of the weights; names the figures that were measured for them. */
  readonly sha256: string;
  readonly license: string;
  /** Whether it answers now. */
  readonly isCurrent: boolean;
  /** False for models that came with another package. */
  readonly isRemovable: boolean;
}

/** A model of the catalogue. */
export interface AvailableModel {
  readonly name: string;
  readonly family: string;
  readonly parameters: number;
  readonly license: string;
  readonly licenseUrl: string;
  /** False where the user is asked to agree with the license. */
  readonly isPermissive: boolean;
  readonly downloadBytes: number;
  /** Memory that the model is expected to take here. */
  readonly memoryBytes: number;
  /** Whether the memory of this machine is enough. */
  readonly fits: boolean;
  readonly isRecommended: boolean;
  /** Assessment in one sentence: the memory that the model takes here, and the speed to expect. */
  readonly why: string;
  readonly isInstalled: boolean;
}

/** Answer to `fimLsp/models`. */
export interface Models {
  readonly installed: readonly InstalledModel[];
  readonly available: readonly AvailableModel[];
}

/** Measured speed of an installed model. */
export interface Speed {
  readonly firstTokenMs: number;
  readonly tokensPerSecond: number;
}

/** Larger models are measured only when the user asks: that takes minutes and as much memory again. */
export const MAX_BYTES_MEASURED_UNASKED = 200e6;

/** Returns the size of a model and its license, beside its name in a list: `10.2 M parameters, 10 MB, Apache-2.0`. */
export function formatSize(model: InstalledModel | AvailableModel): string {
  const bytes = 'bytes' in model ? model.bytes : model.downloadBytes;
  const license = model.license === '' ? [] : [model.license];
  return [t('{0} parameters', formatCount(model.parameters)), formatBytes(bytes), ...license].join(', ');
}

/** Returns the memory that an installed model takes, where the catalogue has it; else nothing. */
export function formatMemory(model: InstalledModel, models: readonly AvailableModel[]): string {
  const known = models.find(({ name }) => name === model.name);
  return known === undefined ? '' : t('{0} of memory', formatBytes(known.memoryBytes));
}

/** Returns a measured speed for one line of a list: `first token in 69 ms, then 301 per second here`. */
export function formatSpeed(speed: Speed): string {
  return t('first token in {0} ms, then {1} per second here', speed.firstTokenMs.toFixed(0),
    speed.tokensPerSecond.toFixed(0));
}

/** Returns models of the catalogue that can be fetched: the recommended first, those that do not fit last. */
export function availableInOrder(models: readonly AvailableModel[]): AvailableModel[] {
  const rank = (model: AvailableModel): number => (model.isRecommended ? 0 : model.fits ? 1 : 2);
  return models.filter(({ isInstalled }) => !isInstalled).sort((one, other) => rank(one) - rank(other));
}

/** Returns a number of bytes in a unit that needs few digits: `491 MB`, `1.1 GB`. */
export function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

function formatCount(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} B`;
  return `${(count / 1e6).toFixed(count < 100e6 ? 1 : 0)} M`;
}
