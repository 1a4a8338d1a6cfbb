/** Writes the page with the keys saved this week and the present problems; without `vscode`, and without scripts. */

import type { Action } from './action.ts';
import { t } from './l10n.ts';
import type { Problem } from './problems.ts';
import { total, type Day } from './usage.ts';

/** What the page shows. */
export interface UsageFacts {
  /** Seven days, the oldest first; undefined while no server tells. */
  readonly week: readonly Day[] | undefined;
  readonly isCounting: boolean;
  /** Lines about the running model and the last answer. */
  readonly model: readonly string[];
  readonly problems: readonly Problem[];
  /** Actions at the end of the page. */
  readonly actions: readonly Action[];
  /** Language of the user, for names of days and numbers. */
  readonly locale: string;
}

/** Returns the HTML of the page; `nonce` is a random text that lets its one style sheet in and nothing else. */
export function usagePage(facts: UsageFacts, nonce: string): string {
  const { week, problems, model } = facts;
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="${escaped(facts.locale)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(t('Keys Saved'))}</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(t('Keys saved this week'))}</h1>
${week === undefined
    ? paragraph(t('The server is not running, so there are no counts to show.'))
    : describeWeek(facts, week)}
<h2>${escaped(t('Model'))}</h2>
${(model.length === 0 ? [t('none runs')] : model).map(paragraph).join('\n')}
<h2>${escaped(t('Problems'))}</h2>
${problems.length === 0 ? paragraph(t('There are none.')) : problems.map(describeProblem).join('\n')}
<p class="actions">${facts.actions.map(link).join(' ')}</p>
<p class="note">${escaped(t('Counted on this machine only, by day, in numbers: no code, no names of files. Nothing ' +
    'is sent anywhere. "{0}" deletes the counts.', 'fim-lsp stats --clear'))}</p>
</main>
</body>
</html>`;
}

function describeWeek({ isCounting, locale }: UsageFacts, week: readonly Day[]): string {
  const { accepted, keys } = total(week);
  const number = new Intl.NumberFormat(locale);
  const sum = accepted === 1
    ? t('with 1 accepted suggestion')
    : t('with {0} accepted suggestions', number.format(accepted));
  const off = isCounting ? '' : paragraph(t('Counting is turned off (fimLsp.learnFromUse).'));
  return `<p><span class="sum">${number.format(keys)}</span> ${escaped(sum)}</p>${off}\n${chart(week, locale)}`;
}

const WIDTH = 420;
const HEIGHT = 130;
const BARS = { top: 18, bottom: 108 };
const GAP = 14;

/** Draws a bar for each day, with its number above and the day below, so that nothing depends on colour. */
function chart(week: readonly Day[], locale: string): string {
  const most = Math.max(1, ...week.map(({ keys }) => keys));
  const step = WIDTH / week.length;
  const shortDay = new Intl.DateTimeFormat(locale, { weekday: 'short', timeZone: 'UTC' });
  const number = new Intl.NumberFormat(locale);
  const columns = week.map(({ day, keys }, index) => {
    const height = Math.max(1, ((BARS.bottom - BARS.top) * keys) / most);
    const [x, y] = [index * step + GAP / 2, BARS.bottom - height];
    const middle = (index + 0.5) * step;
    const name = shortDay.format(new Date(`${day}T00:00:00Z`));
    const figure = keys === 0 ? '' : `<text x="${middle}" y="${(y - 5).toFixed(1)}">${number.format(keys)}</text>`;
    return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${(step - GAP).toFixed(1)}" ` +
      `height="${height.toFixed(1)}"/>${figure}<text x="${middle}" y="${HEIGHT - 5}">${escaped(name)}</text>`;
  });
  const spoken = week.map(({ day, keys }) => `${day}: ${keys}`).join(', ');
  const label = escaped(t('Keys saved by day: {0}', spoken));
  const svg = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">${columns.join('')}</svg>`;
  return `<div class="chart">${svg}</div>`;
}

function describeProblem({ sentence, actions }: Problem): string {
  return `<p class="problem">${escaped(sentence)}<br>${actions.map(link).join(' ')}</p>`;
}

/** Returns a link that runs a command; the panel lets through those commands alone that it names. */
function link(action: Action): string {
  const args = action.arguments === undefined ? '' : `?${encodeURIComponent(JSON.stringify(action.arguments))}`;
  return `<a href="command:${escaped(action.command + args)}">${escaped(action.title)}</a>`;
}

function paragraph(text: string): string {
  return `<p>${escaped(text)}</p>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const STYLE = `
body { color: var(--vscode-foreground); background: var(--vscode-editor-background);
  font-family: var(--vscode-font-family); font-size: var(--vscode-font-size); line-height: 1.5; }
main { max-width: 460px; margin: 1.5em auto; padding: 0 1em; }
h1 { font-size: 1.5em; font-weight: 600; margin: 0; }
h2 { font-size: 1.1em; font-weight: 600; margin: 1.5em 0 .3em; }
p { margin: .3em 0; overflow-wrap: anywhere; }
.sum { font-size: 2.4em; font-weight: 600; font-variant-numeric: tabular-nums; }
/* In a narrow window the chart is scrolled, because scaled down nobody could read it. */
.chart { overflow-x: auto; margin-top: .5em; }
svg { width: 100%; min-width: 320px; height: auto; }
rect { fill: var(--vscode-charts-blue); stroke: var(--vscode-contrastBorder, transparent); }
text { fill: var(--vscode-foreground); font-size: 11px; text-anchor: middle; }
a { color: var(--vscode-textLink-foreground); margin-right: 1em; }
a:focus { outline: 1px solid var(--vscode-focusBorder); outline-offset: 2px; }
.problem { border-left: 3px solid var(--vscode-editorWarning-foreground); padding-left: .8em; margin: .6em 0; }
.actions { margin-top: 1.8em; }
.note { color: var(--vscode-descriptionForeground); margin-top: 1.5em; }
`;
