/** Reads and changes VS Code's configuration under `fimLsp`; the rules about its values are in `settings`. */

import * as vscode from 'vscode';
import { parseLanguages, parseSettings, type ClientSettings, type Languages } from './settings.ts';

export const SECTION = 'fimLsp';

const AUTO = 'auto';

/** The extension's own settings as they are now. */
export function readClientSettings(): ClientSettings {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  return parseSettings((key) => configuration.get(key), vscode.workspace.workspaceFolders?.[0]?.uri.fsPath);
}

/** Tells whether suggestions are enabled at all. */
export function isEnabled(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get('enabled') !== false;
}

/** Tells whether the keys that accept a suggestion are shown beside the first ones. */
export function showsKeyHint(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get('keyHint') !== false;
}

/** Returns which languages the user has switched off or on. */
export function readLanguages(): Languages {
  return parseLanguages(vscode.workspace.getConfiguration(SECTION).get('languages'));
}

/** Returns the model that a setting names; undefined where the user's choice for all editors counts. */
export function modelInSettings(): string | undefined {
  const name = vscode.workspace.getConfiguration(SECTION).get<string>('model') ?? AUTO;
  return name === AUTO ? undefined : name;
}

/** Changes the setting that names a model, if there is one; returns whether there is. */
export async function changeModelInSettings(name: string): Promise<boolean> {
  if (modelInSettings() === undefined) return false;
  await updateSetting('model', name);
  return true;
}

/** Changes a setting in the workspace if it is set there, else for the user. */
export async function updateSetting(key: string, value: unknown): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const isSetHere = configuration.inspect(key)?.workspaceValue !== undefined;
  const { Workspace, Global } = vscode.ConfigurationTarget;
  await configuration.update(key, value, isSetHere ? Workspace : Global);
}
