/** Parses the extension's own settings and holds the rules about values of the others; without `vscode`. */

import { homedir } from 'node:os';
import { join } from 'node:path';

/** Settings that the extension acts on itself; the server reads all others. */
export interface ClientSettings {
  /** Path of a Python; empty to search for one. */
  readonly interpreter: string;
  /** Command that runs the server; empty for the interpreter's. */
  readonly command: readonly string[];
  /** HOST:PORT or Unix socket of a shared server; empty to start one for this window. */
  readonly address: string;
}

/** Parses the extension's settings; a value of the wrong type counts as not set. */
export function parseSettings(get: (key: string) => unknown, workspaceFolder: string | undefined): ClientSettings {
  const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');
  const command: unknown = get('command');
  const parts: unknown[] = Array.isArray(command) ? command : [];
  return {
    interpreter: expandPath(text(get('interpreter')), workspaceFolder),
    command: parts.filter((part) => typeof part === 'string').map((part) => expandPath(part, workspaceFolder)),
    address: expandPath(text(get('address')), workspaceFolder),
  };
}

/**
 * Returns the settings for the server.
 *
 * In a folder that the user does not trust, nothing is indexed and no model is offered.
 */
export function settingsForServer(settings: object, isTrusted: boolean): object {
  return isTrusted ? settings : { ...settings, workspaceIndex: false, offerModels: false };
}

/** Applies `settingsForServer` to the parameters of `workspace/didChangeConfiguration`. */
export function changeForServer(params: unknown, isTrusted: boolean): unknown {
  const settings = at(params, 'settings');
  const own = at(settings, 'fimLsp');
  if (!isObject(params) || !isObject(settings) || !isObject(own)) return params;
  return { ...params, settings: { ...settings, fimLsp: settingsForServer(own, isTrusted) } };
}

function at(value: unknown, key: string): unknown {
  return isObject(value) ? (value as Record<string, unknown>)[key] : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Replaces `~` and `${workspaceFolder}` in a path. */
export function expandPath(path: string, workspaceFolder: string | undefined): string {
  const whole = path.replaceAll('${workspaceFolder}', workspaceFolder ?? '');
  return whole === '~' || /^~[/\\]/.test(whole) ? join(homedir(), whole.slice(1)) : whole;
}

/** Returns the options that make `fim-lsp serve` listen at an address. */
export function serveOptions(address: string): [string, string] {
  return [/^[^/\\]+:\d{1,5}$/.test(address) ? '--tcp' : '--socket', address];
}

/** Language ids and whether they are completed; "*" stands for the rest. */
export type Languages = Readonly<Record<string, boolean>>;

/** Parses `fimLsp.languages`; like the server it also takes a list of ids to switch off. */
export function parseLanguages(value: unknown): Languages {
  if (Array.isArray(value)) return Object.fromEntries(value.map((id) => [String(id), false]));
  if (typeof value !== 'object' || value === null) return {};
  const isSwitch = (entry: [string, unknown]): entry is [string, boolean] => typeof entry[1] === 'boolean';
  return Object.fromEntries(Object.entries(value).filter(isSwitch));
}

/** Tells whether documents of a language are completed. */
export function isLanguageEnabled(languages: Languages, id: string): boolean {
  return languages[id] ?? languages['*'] ?? true;
}

/** Returns the map with one language toggled, without an entry where the rest already gives the wanted value. */
export function withLanguageToggled(languages: Languages, id: string): Languages {
  const wanted = !isLanguageEnabled(languages, id);
  const rest = Object.fromEntries(Object.entries(languages).filter(([key]) => key !== id));
  return isLanguageEnabled(rest, id) === wanted ? rest : { ...rest, [id]: wanted };
}
