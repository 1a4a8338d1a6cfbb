/** Turns facts about the server and the document into the words of the status bar; without `vscode`. */

import { t } from './l10n.ts';

/** Parameters of the notification `fimLsp/status`. */
export interface ServerStatus {
  readonly state: 'starting' | 'ready' | 'busy' | 'error' | 'disabled';
  readonly model: string;
  readonly engine: string;
  readonly message: string;
  /** What the user should know while another model or engine answers than the chosen one. */
  readonly warning?: string;
  /** Ids of the languages in which the model suggests while the user types; missing if nobody knows. */
  readonly languages?: readonly string[];
  /** Texts of which the engine keeps what it has read, and the memory of that; missing if nobody knows. */
  readonly keptTexts?: { readonly number: number; readonly usedBytes: number; readonly maxBytes: number };
  /** The model that is being added, the share of all the work that is done, from 0 to 1, and its step in words. */
  readonly adding?: { readonly model: string; readonly share: number; readonly step: string } | null;
}

/** State of the server's process; `status` is what the process says of its model. */
export type ProcessState =
  | { readonly kind: 'starting'; readonly detail: string }
  | { readonly kind: 'running'; readonly status: ServerStatus | undefined; readonly where: string }
  | { readonly kind: 'failed'; readonly message: string; readonly isSetUpMissing?: boolean };

/** The last answer to a request for suggestions, as the user has met it. */
export interface LastAnswer {
  /** Milliseconds from the request to the answer. */
  readonly ms: number;
  readonly isSuggestion: boolean;
}

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
  /** Undefined until a suggestion was asked for. */
  readonly lastAnswer: LastAnswer | undefined;
}

export type Indicator = 'starting' | 'ready' | 'busy' | 'on request' | 'off' | 'set up' | 'error';

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
  'set up': '$(desktop-download)',
  error: '$(error)',
};

const MAX_LANGUAGES_SHOWN = 8;
/** As wide as a digit, so that the item's neighbours stay where they are. */
const FIGURE_SPACE = '\u2007';

/** Returns the words for the facts at a time in milliseconds since 1970. */
export function describeStatus(facts: StatusFacts, now: number): StatusView {
  const view = describeState(facts, now);
  const adding = describeAdding(facts.process);
  if (adding === undefined) return view;
  return {
    indicator: view.indicator,
    text: `${view.text} $(cloud-download) ${adding.share}`,
    label: `${view.label}, ${adding.long}`,
    tooltip: [adding.long, adding.step, ...view.tooltip],
  };
}

/** Returns which model is being added, how far that is and what is being done; undefined for none. */
export function describeAdding(process: ProcessState): { share: string; long: string; step: string } | undefined {
  const adding = process.kind === 'running' ? process.status?.adding : undefined;
  if (!adding) return undefined;
  const share = `${(100 * adding.share).toFixed(0)} %`;
  return { share, long: t('adding {0}, {1}', adding.model, share), step: adding.step };
}

function describeState(facts: StatusFacts, now: number): StatusView {
  const { process } = facts;
  const problem = findProblem(process);
  if (process.kind === 'failed' && process.isSetUpMissing === true) {
    return createView('set up', t('set up'), t('One step is left: install the server. A click begins.'));
  }
  if (problem !== undefined || process.kind === 'failed') return createView('error', t('error'), problem ?? '');
  if (process.kind === 'starting') return createView('starting', t('starting'), process.detail);
  const { status } = process;
  const off = findOffReason(facts, now);
  if (off?.short !== undefined) return createView('off', t('off ({0})', off.short), off.long);
  if (status === undefined || status.state === 'starting') {
    return createView('starting', t('starting'), status?.message ?? t('waiting for the server'));
  }
  // The server keeps the old model when a new one does not load, and its message says why.
  const message = status.message === '' ? [] : [status.message];
  const last = describeLastAnswer(facts.lastAnswer);
  const lines = [...message, ...describeModel(process), ...(last === undefined ? [] : [last]), process.where];
  const { document } = facts;
  if (status.state !== 'busy' && document?.state === 'onRequest') {
    return createView('on request', t('on request'), document.message, ...lines);
  }
  const isBusy = status.state === 'busy';
  return {
    indicator: isBusy ? 'busy' : 'ready',
    text: [ICONS[isBusy ? 'busy' : 'ready'], 'FIM', status.model, shortTime(facts.lastAnswer)]
      .filter((part) => part !== '').join(' '),
    label: ['FIM LSP: ' + (isBusy ? t('busy') : t('ready')), status.model, last ?? '']
      .filter((part) => part !== '').join(', '),
    tooltip: lines,
  };
}

/** Returns the time of the last answer in few characters; empty where there was none. */
function shortTime(last: LastAnswer | undefined): string {
  return last === undefined ? '' : `${last.ms.toFixed(0).padStart(4, FIGURE_SPACE)} ms`;
}

/** Returns what came of the last request, and in which time; undefined if nothing was asked for. */
export function describeLastAnswer(last: LastAnswer | undefined): string | undefined {
  if (last === undefined) return undefined;
  const ms = last.ms.toFixed(0);
  return last.isSuggestion ? t('last suggestion in {0} ms', ms) : t('last request: nothing, in {0} ms', ms);
}

/** Returns lines about the running model, its languages and its memory, as far as they are known. */
export function describeModel(process: ProcessState): string[] {
  if (process.kind !== 'running' || process.status === undefined || process.status.model === '') return [];
  const { model, engine, languages = [], keptTexts } = process.status;
  const lines = [engine === '' ? model : t('{0} on {1}', model, engine)];
  if (languages.length > 0) lines.push(describeLanguages(languages));
  if (keptTexts !== undefined) lines.push(describeMemory(keptTexts));
  return lines;
}

function describeLanguages(languages: readonly string[]): string {
  const rest = languages.length - MAX_LANGUAGES_SHOWN;
  const shown = languages.slice(0, MAX_LANGUAGES_SHOWN).join(', ');
  return rest > 0
    ? t('suggests while you type in: {0} and {1} more', shown, rest)
    : t('suggests while you type in: {0}', shown);
}

function describeMemory({ number, usedBytes, maxBytes }: NonNullable<ServerStatus['keptTexts']>): string {
  const [used = 0, max = 0] = [usedBytes, maxBytes].map((bytes) => Math.round(bytes / 1e6));
  return number === 1
    ? t('keeps what it has read of 1 text: {0} of {1} MB', used, max)
    : t('keeps what it has read of {0} texts: {1} of {2} MB', number, used, max);
}

/** Returns why no model answers; undefined if one does or is on its way. */
export function findProblem(process: ProcessState): string | undefined {
  if (process.kind === 'failed') return process.message;
  return process.kind === 'running' && process.status?.state === 'error' ? process.status.message : undefined;
}

/** Why nothing is suggested; `short` is missing where the status bar need not say so. */
export interface OffReason {
  readonly kind: 'snoozed' | 'disabled' | 'language' | 'excluded' | 'scheme';
  readonly short?: string;
  readonly long: string;
}

/** Returns why nothing is suggested in the active document now, or undefined. */
export function findOffReason(facts: StatusFacts, now: number): OffReason | undefined {
  if (facts.snoozedUntil > now) {
    const time = new Date(facts.snoozedUntil).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    return { kind: 'snoozed', short: t('until {0}', time), long: t('snoozed until {0}', time) };
  }
  const { process, document } = facts;
  if (process.kind === 'running' && process.status?.state === 'disabled') {
    return { kind: 'disabled', short: t('disabled'), long: t('fimLsp.enabled is false') };
  }
  if (document === undefined) return undefined;
  if (!SCHEMES.some((scheme) => scheme === document.scheme)) {
    const long = t('off here: only files on a disk and untitled ones are completed, not {0}:', document.scheme);
    return { kind: 'scheme', long };
  }
  const long = t('off here: {0}', document.message);
  switch (document.state) {
    // The server is enabled, so the language is not.
    case 'disabled': return { kind: 'language', short: document.languageId, long };
    case 'excluded': return { kind: 'excluded', short: t('excluded'), long };
    default: return undefined;
  }
}

function createView(indicator: Indicator, words: string, ...tooltip: string[]): StatusView {
  return { indicator, text: `${ICONS[indicator]} FIM: ${words}`, label: `FIM LSP: ${words}`, tooltip };
}
