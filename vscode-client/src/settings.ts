/** The settings that are the extension's own, and small rules about the others.  Knows nothing of VS Code. */

import { homedir } from 'node:os';
import { join } from 'node:path';

/** Read from the configuration; what the server needs it reads itself. */
export interface ClientSettings {
  /** A Python, or empty to look for one. */
  readonly interpreter: string;
  /** A whole command, or empty. */
  readonly command: readonly string[];
  /** HOST:PORT or the path of the Unix socket of a shared server, or empty. */
  readonly address: string;
}

/** Read the extension's settings; a value of the wrong type counts as not set. */
export function parseSettings(get: (key: string) => unknown, workspaceFolder: string | undefined): ClientSettings {
  const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');
  const command = get('command');
  return {
    interpreter: expanded(text(get('interpreter')), workspaceFolder),
    command: Array.isArray(command) ? command.filter((part) => typeof part === 'string').map((part) => expanded(part, workspaceFolder)) : [],
    address: expanded(text(get('address')), workspaceFolder),
  };
}

/** The settings as the server gets them: in a folder that the user does not trust it looks through no files. */
export function settingsForServer(settings: object, isTrusted: boolean): object {
  return isTrusted ? settings : { ...settings, workspaceIndex: false };
}

/** The same for what VS Code pushes when settings change. */
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

/** `~` and `${workspaceFolder}` as people write them in settings. */
export function expanded(path: string, workspaceFolder: string | undefined): string {
  const whole = path.replaceAll('${workspaceFolder}', workspaceFolder ?? '');
  return whole === '~' || /^~[/\\]/.test(whole) ? join(homedir(), whole.slice(1)) : whole;
}

/** What makes `fim-lsp serve` listen at an address. */
export function serveOptions(address: string): [string, string] {
  return [/^[^/\\]+:\d{1,5}$/.test(address) ? '--tcp' : '--socket', address];
}

/** Language ids and whether they are completed; "*" stands for the rest. */
export type Languages = Readonly<Record<string, boolean>>;

/** `fimLsp.languages` as a map; the server takes a list of ids to switch off as well. */
export function parseLanguages(value: unknown): Languages {
  if (Array.isArray(value)) return Object.fromEntries(value.map((id) => [String(id), false]));
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, boolean] => typeof entry[1] === 'boolean'));
}

/** Whether documents of a language are completed. */
export function isLanguageEnabled(languages: Languages, id: string): boolean {
  return languages[id] ?? languages['*'] ?? true;
}

/** The map with one language the other way round; an entry that says what holds anyway is left out. */
export function withLanguageToggled(languages: Languages, id: string): Languages {
  const wanted = !isLanguageEnabled(languages, id);
  const rest = Object.fromEntries(Object.entries(languages).filter(([key]) => key !== id));
  return isLanguageEnabled(rest, id) === wanted ? rest : { ...rest, [id]: wanted };
}
