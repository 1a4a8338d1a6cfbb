/** What the status bar says.  Knows nothing of VS Code: from facts to words. */

import { isLanguageEnabled, type Languages } from './settings.ts';

/** The notification `fimLsp/status`. */
export interface ServerStatus {
  readonly state: 'starting' | 'ready' | 'busy' | 'error' | 'disabled';
  readonly model: string;
  readonly engine: string;
  readonly message: string;
}

/** Where the server's process is in its life; `ready` is for the model to say. */
export type Life =
  | { readonly kind: 'starting'; readonly detail: string }
  | { readonly kind: 'running'; readonly status: ServerStatus | undefined; readonly where: string }
  | { readonly kind: 'failed'; readonly message: string };

/** The document in front. */
export interface Document {
  readonly languageId: string;
  readonly scheme: string;
  /** Why the server does not complete it, as far as it has said; else empty. */
  readonly excluded: string;
}

export interface Facts {
  readonly life: Life;
  readonly isEnabled: boolean;
  readonly languages: Languages;
  /** When suggestions come back, in milliseconds since 1970; 0 for now. */
  readonly snoozedUntil: number;
  readonly document: Document | undefined;
}

export type State = 'starting' | 'ready' | 'busy' | 'off' | 'error';

export interface View {
  readonly state: State;
  /** With VS Code's names of icons. */
  readonly text: string;
  /** Read aloud, and waited for by the tests. */
  readonly label: string;
  readonly tooltip: readonly string[];
}

/** Schemes of documents that the server is told of. */
export const SCHEMES = ['file', 'untitled', 'vscode-notebook-cell'] as const;

const ICONS: Record<State, string> = {
  starting: '$(sync~spin)',
  ready: '$(sparkle)',
  busy: '$(loading~spin)',
  off: '$(circle-slash)',
  error: '$(error)',
};

/** Words for the facts, at a time (milliseconds since 1970). */
export function view(facts: Facts, now: number): View {
  const { life } = facts;
  if (life.kind === 'failed') return words('error', 'FIM: error', life.message);
  if (life.kind === 'starting') return words('starting', 'FIM: starting', life.detail);
  const { status } = life;
  if (status?.state === 'error') return words('error', 'FIM: error', status.message);
  const off = whyOff(facts, now);
  if (off !== undefined) return words('off', `FIM: off (${off.short})`, off.long);
  if (status === undefined || status.state === 'starting') {
    return words('starting', 'FIM: starting', status?.message ?? 'waiting for the server');
  }
  const busy = status.state === 'busy';
  const running = `${status.model} on ${status.engine}`;
  // The server keeps an old model when a new one does not load, and says why.
  return words(busy ? 'busy' : 'ready', 'FIM', ...(status.message === '' ? [] : [status.message]), running, life.where);
}

/** Why nothing is suggested here and now, or undefined. */
export function whyOff(facts: Facts, now: number): { short: string; long: string } | undefined {
  if (!facts.isEnabled) return { short: 'disabled', long: 'fimLsp.enabled is false' };
  if (facts.snoozedUntil > now) {
    const time = new Date(facts.snoozedUntil).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    return { short: `until ${time}`, long: `snoozed until ${time}` };
  }
  const { document } = facts;
  if (document === undefined) return undefined;
  if (!SCHEMES.some((scheme) => scheme === document.scheme)) {
    return { short: 'here', long: `off here: only files on a disk and untitled ones are completed, not ${document.scheme}:` };
  }
  if (!isLanguageEnabled(facts.languages, document.languageId)) {
    return { short: document.languageId, long: `off here: fimLsp.languages switches ${document.languageId} off` };
  }
  return document.excluded === '' ? undefined : { short: 'here', long: `off here: ${document.excluded}` };
}

function words(state: State, text: string, ...tooltip: string[]): View {
  const label = state === 'ready' || state === 'busy' ? `FIM LSP: ${state}` : `FIM LSP: ${text.slice('FIM: '.length)}`;
  return { state, text: `${ICONS[state]} ${text}`, label, tooltip };
}
