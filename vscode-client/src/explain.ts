/** The server's decisions as a document for people.  Knows nothing of VS Code. */

/** One entry of the answer to `fimLsp/explain`; fields of later servers are shown as they come. */
export type Decision = Readonly<Record<string, unknown>>;

const SHOWN_OTHERS = 20;

const LABELS: Readonly<Record<string, string>> = {
  promptTokens: 'tokens read',
  prefixTokens: 'of them before the cursor',
  suffixTokens: 'of them after the cursor',
  snippetTokens: 'of them from other files',
  cachedTokens: 'of them still in memory',
  newTokens: 'tokens written',
  finish: 'stopped by',
  meanLogprob: 'mean log-probability per token',
  singleLine: 'one line only',
  rules: 'changed by the rules',
  waitMs: 'milliseconds waited for another key',
  keyGapMs: 'milliseconds between your keys, usually',
  answerMs: 'milliseconds that the model takes, usually',
  prepared: 'prepared when the suggestion before was accepted',
};

const SOURCES: Readonly<Record<string, string>> = {
  cache: 'what was known already',
  running: 'what the model was writing when you typed it',
};

const SENTENCES: Readonly<Record<string, string>> = {
  shown: 'A suggestion was shown.',
  nothing: 'Nothing was suggested.',
  superseded: 'You typed on before it was ready.',
  cancelled: 'The editor took the request back.',
  failed: 'It failed.',
};

/** Outcomes of requests that came to nothing because of the next one; not what one asks about. */
const OVERTAKEN = new Set(['superseded', 'cancelled']);

/** Markdown that reads well as it stands: the last decision that was carried through, then a line for each other. */
export function explanation(decisions: readonly Decision[], name: (uri: string) => string): string {
  const last = decisions.find((decision) => !OVERTAKEN.has(text(decision, 'outcome'))) ?? decisions[0];
  const others = decisions.filter((decision) => decision !== last);
  if (last === undefined) {
    return '# Explain last suggestion\n\nNothing has been asked for yet. Type something, then look again.\n';
  }
  const lines = ['# Explain last suggestion', '', ...told(last, name), ''];
  if (others.length > 0) {
    lines.push('## The other requests, newest first', '');
    for (const decision of others.slice(0, SHOWN_OTHERS)) lines.push(`- ${summary(decision, name)}`);
    lines.push('');
  }
  return lines.join('\n');
}

function told(decision: Decision, name: (uri: string) => string): string[] {
  const lines = [`**${SENTENCES[text(decision, 'outcome')] ?? text(decision, 'outcome')}**`, ''];
  const reason = text(decision, 'reason');
  const remedy = text(decision, 'remedy');
  if (reason !== '') lines.push(`Why: ${reason}`, '');
  if (remedy !== '') lines.push(`What to do: ${remedy}`, '');
  lines.push(
    `- file: ${name(text(decision, 'uri'))}`,
    `- asked by: ${text(decision, 'trigger') === 'invoked' ? 'you' : 'typing'}`,
  );
  const source = text(decision, 'source');
  if (source !== '') lines.push(`- answered by: ${SOURCES[source] ?? `the ${source}`}`);
  const told = new Set(['number', 'uri', 'trigger', 'outcome', 'reason', 'remedy', 'source', 'timingsMs']);
  for (const [key, value] of Object.entries(decision)) {
    if (!told.has(key)) lines.push(`- ${LABELS[key] ?? key}: ${shown(value)}`);
  }
  const steps = timings(decision);
  if (steps.length > 0) {
    const width = Math.max(...steps.map(([step]) => step.length), 4);
    lines.push('', `| ${'step'.padEnd(width)} |      ms |`, `|${'-'.repeat(width + 2)}|--------:|`);
    for (const [step, ms] of steps) lines.push(`| ${step.padEnd(width)} | ${ms.toFixed(1).padStart(7)} |`);
  }
  return lines;
}

function summary(decision: Decision, name: (uri: string) => string): string {
  const total = timings(decision).find(([step]) => step === 'total')?.[1];
  const reason = text(decision, 'reason');
  return [
    text(decision, 'outcome'),
    ...(reason === '' ? [] : [`(${reason})`]),
    `in ${name(text(decision, 'uri'))}`,
    ...(total === undefined ? [] : [`after ${total.toFixed(0)} ms`]),
  ].join(' ');
}

function timings(decision: Decision): [string, number][] {
  const { timingsMs } = decision;
  if (typeof timingsMs !== 'object' || timingsMs === null) return [];
  return Object.entries(timingsMs).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
}

function text(decision: Decision, key: string): string {
  const value = decision[key];
  return typeof value === 'string' ? value : '';
}

function shown(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map(String).join(', ');
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}
