/** Turns facts about the server and the document into the words of the status bar; without `vscode`. */

/** Parameters of the notification `fimLsp/status`. */
export interface ServerStatus {
  readonly state: 'starting' | 'ready' | 'busy' | 'error' | 'disabled';
  readonly model: string;
  readonly engine: string;
  readonly message: string;
  /** Ids of the languages in which the model suggests while the user types; missing if nobody knows. */
  readonly languages?: readonly string[];
  /** Texts of which the engine keeps what it has read, and the memory of that; missing if nobody knows. */
  readonly keptTexts?: { readonly number: number; readonly usedBytes: number; readonly maxBytes: number };
  /** The model that is being fetched, and the share that is done, from 0 to 1. */
  readonly adding?: { readonly model: string; readonly share: number } | null;
}

/** State of the server's process; `status` is what the process says of its model. */
export type ProcessState =
  | { readonly kind: 'starting'; readonly detail: string }
  | { readonly kind: 'running'; readonly status: ServerStatus | undefined; readonly where: string }
  | { readonly kind: 'failed'; readonly message: string };

/** Parameters of the notification `fimLsp/documentState`. */
export interface DocumentState {
  readonly uri: string;
  /** `onRequest`: nothing is suggested while the user types, but an explicit request is answered. */
  readonly state: 'active' | 'disabled' | 'excluded' | 'onRequest';
  /** Explanation for people; empty for `active`. */
  readonly message: string;
}

/** The document in the active editor, with what the server says about it. */
export interface ActiveDocument extends Pick<DocumentState, 'state' | 'message'> {
  readonly languageId: string;
  readonly scheme: string;
}

/** Everything that the status bar depends on. */
export interface StatusFacts {
  readonly process: ProcessState;
  /** End of the snooze in milliseconds since 1970; 0 if there was none. */
  readonly snoozedUntil: number;
  readonly document: ActiveDocument | undefined;
}

export type Indicator = 'starting' | 'ready' | 'busy' | 'on request' | 'off' | 'error';

/** Words of the status bar's item. */
export interface StatusView {
  readonly indicator: Indicator;
  /** Text with VS Code's names of icons. */
  readonly text: string;
  /** Text for screen readers. */
  readonly label: string;
  readonly tooltip: readonly string[];
}

/** Schemes of the documents that the server is told of. */
export const SCHEMES = ['file', 'untitled', 'vscode-notebook-cell'] as const;

const ICONS: Record<Indicator, string> = {
  starting: '$(sync~spin)',
  ready: '$(sparkle)',
  busy: '$(loading~spin)',
  'on request': '$(sparkle)',
  off: '$(circle-slash)',
  error: '$(error)',
};

const MAX_LANGUAGES_SHOWN = 8;

/** Returns the words for the facts at a time in milliseconds since 1970. */
export function describeStatus(facts: StatusFacts, now: number): StatusView {
  const view = describeState(facts, now);
  const adding = describeAdding(facts.process);
  if (adding === undefined) return view;
  return {
    indicator: view.indicator,
    text: `${view.text} $(cloud-download) ${adding.share}`,
    label: `${view.label}, ${adding.long}`,
    tooltip: [adding.long, ...view.tooltip],
  };
}

/** Returns which model is being fetched and how much of it is there; undefined for none. */
export function describeAdding(process: ProcessState): { share: string; long: string } | undefined {
  const adding = process.kind === 'running' ? process.status?.adding : undefined;
  if (!adding) return undefined;
  const share = `${(100 * adding.share).toFixed(0)} %`;
  return { share, long: `fetching ${adding.model}, ${share}` };
}

function describeState(facts: StatusFacts, now: number): StatusView {
  const { process } = facts;
  const problem = findProblem(process);
  if (problem !== undefined || process.kind === 'failed') return createView('error', 'FIM: error', problem ?? '');
  if (process.kind === 'starting') return createView('starting', 'FIM: starting', process.detail);
  const { status } = process;
  const off = findOffReason(facts, now);
  if (off !== undefined) return createView('off', `FIM: off (${off.short})`, off.long);
  if (status === undefined || status.state === 'starting') {
    return createView('starting', 'FIM: starting', status?.message ?? 'waiting for the server');
  }
  // The server keeps the old model when a new one does not load, and its message says why.
  const message = status.message === '' ? [] : [status.message];
  const lines = [...message, ...describeModel(process), process.where];
  if (status.state === 'busy') return createView('busy', 'FIM', ...lines);
  const { document } = facts;
  if (document?.state === 'onRequest') return createView('on request', 'FIM: on request', document.message, ...lines);
  return createView('ready', 'FIM', ...lines);
}

/** Returns lines about the running model, its languages and its memory, as far as they are known. */
export function describeModel(process: ProcessState): string[] {
  if (process.kind !== 'running' || process.status === undefined || process.status.model === '') return [];
  const { model, engine, languages = [], keptTexts } = process.status;
  const lines = [engine === '' ? model : `${model} on ${engine}`];
  if (languages.length > 0) lines.push(describeLanguages(languages));
  if (keptTexts !== undefined) lines.push(describeMemory(keptTexts));
  return lines;
}

function describeLanguages(languages: readonly string[]): string {
  const rest = languages.length - MAX_LANGUAGES_SHOWN;
  const shown = languages.slice(0, MAX_LANGUAGES_SHOWN).join(', ');
  return `suggests while you type in: ${shown}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function describeMemory({ number, usedBytes, maxBytes }: NonNullable<ServerStatus['keptTexts']>): string {
  const [used, max] = [usedBytes, maxBytes].map((bytes) => Math.round(bytes / 1e6));
  return `keeps what it has read of ${number} ${number === 1 ? 'text' : 'texts'}: ${used} of ${max} MB`;
}

/** Returns why no model answers; undefined if one does or is on its way. */
export function findProblem(process: ProcessState): string | undefined {
  if (process.kind === 'failed') return process.message;
  return process.kind === 'running' && process.status?.state === 'error' ? process.status.message : undefined;
}

/** Returns why nothing is suggested in the active document now, or undefined. */
export function findOffReason(facts: StatusFacts, now: number): { short: string; long: string } | undefined {
  if (facts.snoozedUntil > now) {
    const time = new Date(facts.snoozedUntil).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    return { short: `until ${time}`, long: `snoozed until ${time}` };
  }
  const { process, document } = facts;
  if (process.kind === 'running' && process.status?.state === 'disabled') {
    return { short: 'disabled', long: 'fimLsp.enabled is false' };
  }
  if (document === undefined) return undefined;
  if (!SCHEMES.some((scheme) => scheme === document.scheme)) {
    const long = `off here: only files on a disk and untitled ones are completed, not ${document.scheme}:`;
    return { short: 'here', long };
  }
  const long = `off here: ${document.message}`;
  switch (document.state) {
    case 'disabled': return { short: document.languageId, long };  // the server is enabled, so the language is not
    case 'excluded': return { short: 'excluded', long };
    default: return undefined;
  }
}

function createView(indicator: Indicator, text: string, ...tooltip: string[]): StatusView {
  const isRunning = indicator === 'ready' || indicator === 'busy';
  const label = isRunning ? `FIM LSP: ${indicator}` : `FIM LSP: ${text.slice('FIM: '.length)}`;
  return { indicator, text: `${ICONS[indicator]} ${text}`, label, tooltip };
}
