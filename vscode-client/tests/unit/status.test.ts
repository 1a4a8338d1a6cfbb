import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeStatus, findOffReason, type ActiveDocument, type Indicator, type LastAnswer, type ServerStatus,
  type StatusFacts,
} from '../../src/status.ts';

const NOW = Date.UTC(2026, 0, 1);
const READY: ServerStatus = { state: 'ready', model: 'embedded', engine: 'ctranslate2', message: '' };
const running = (status: Partial<ServerStatus> = {}): StatusFacts['process'] =>
  ({ kind: 'running', where: 'process 7', status: { ...READY, ...status } });
const document = (given: Partial<ActiveDocument>): ActiveDocument =>
  ({ languageId: 'python', scheme: 'file', state: 'active', message: '', ...given });
const FACTS: StatusFacts = {
  process: running(),
  snoozedUntil: 0,
  document: document({}),
  lastAnswer: undefined,
};

const CASES: [string, Partial<StatusFacts>, Indicator, RegExp][] = [
  ['all is well', {}, 'ready', /embedded on ctranslate2 process 7/],
  ['no file is open', { document: undefined }, 'ready', /embedded/],
  ['the model is generating', { process: running({ state: 'busy' }) }, 'busy', /embedded/],
  ['the process is starting', { process: { kind: 'starting', detail: 'looking' } }, 'starting', /looking/],
  ['the model is loading', { process: running({ state: 'starting', message: 'loading' }) }, 'starting', /loading/],
  ['the server has sent no status', { process: { kind: 'running', status: undefined, where: '' } }, 'starting', /wait/],
  ['the model does not load', { process: running({ state: 'error', message: 'no model' }) }, 'error', /no model/],
  ['the old model stays', { process: running({ message: 'no model big' }) }, 'ready', /no model big/],
  ['there is no server', { process: { kind: 'failed', message: 'No Python' } }, 'error', /No Python/],
  ['the server was never installed', {
    process: { kind: 'failed', message: 'One step is left', isSetUpMissing: true },
  }, 'set up', /install the server/],
  ['it is disabled', { process: running({ state: 'disabled' }) }, 'off', /fimLsp\.enabled is false/],
  ['it is snoozed', { snoozedUntil: NOW + 60_000 }, 'off', /snoozed until/],
  ['the snooze is over', { snoozedUntil: NOW }, 'ready', /embedded/],
  ['the language is off', { document: document({ state: 'disabled', message: 'no python' }) }, 'off', /no python/],
  ['the file is excluded', { document: document({ state: 'excluded', message: 'a secret' }) }, 'off', /a secret/],
  ['the document is not a file', { document: document({ scheme: 'output' }) }, 'ready', /embedded/],
  [
    'the model is rarely right in the language',
    { document: document({ state: 'onRequest', message: 'rarely right' }) },
    'on request', /rarely right embedded/,
  ],
];
for (const [what, facts, indicator, tooltip] of CASES) {
  test(`when ${what}, the status bar says ${indicator} and the tooltip why`, () => {
    const view = describeStatus({ ...FACTS, ...facts }, NOW);

    assert.equal(view.indicator, indicator);
    assert.match(view.tooltip.join(' '), tooltip);
    assert.match(view.label, new RegExp(`^FIM LSP: ${indicator}`));
  });
}

const TEN = ['c', 'cpp', 'go', 'java', 'javascript', 'lua', 'php', 'python', 'ruby', 'rust'];
const LANGUAGES: [string, Partial<ServerStatus>, string[]][] = [
  ['nothing if nobody measured them', {}, []],
  ['nothing if there are none', { languages: [] }, []],
  ['each of a few', { languages: ['go', 'python'] }, ['suggests while you type in: go, python']],
  ['the first of many, and how many more there are', { languages: TEN }, [
    'suggests while you type in: c, cpp, go, java, javascript, lua, php, python and 2 more',
  ]],
];
for (const [what, status, lines] of LANGUAGES) {
  test(`of the model's languages the tooltip names ${what}`, () => {
    const { tooltip } = describeStatus({ ...FACTS, process: running(status) }, NOW);

    assert.deepEqual(tooltip, ['embedded on ctranslate2', ...lines, 'process 7']);
  });
}

const MEMORY: [number, string][] = [
  [1, 'keeps what it has read of 1 text: 12 of 100 MB'],
  [3, 'keeps what it has read of 3 texts: 12 of 100 MB'],
];
for (const [number, line] of MEMORY) {
  test(`the tooltip names the memory of ${number} of the texts that were read`, () => {
    const keptTexts = { number, usedBytes: 12_345_678, maxBytes: 100_000_000 };
    const { tooltip } = describeStatus({ ...FACTS, process: running({ keptTexts }) }, NOW);

    assert.deepEqual(tooltip, ['embedded on ctranslate2', line, 'process 7']);
  });
}

test('while a model is added, the status bar says which one, how far that is and what is done', () => {
  const adding = { model: 'qwen2.5-coder-0.5b', share: 0.43, step: 'proving that it fills holes' };
  const process = running({ adding });
  const view = describeStatus({ ...FACTS, process }, NOW);

  assert.match(view.text, /FIM .* 43 %$/);
  assert.equal(view.label, 'FIM LSP: ready, embedded, adding qwen2.5-coder-0.5b, 43 %');
  const [first, second] = view.tooltip;
  assert.deepEqual([first, second], ['adding qwen2.5-coder-0.5b, 43 %', 'proving that it fills holes']);
});

const ANSWERS: [LastAnswer, string, string][] = [
  [{ ms: 24.4, isSuggestion: true }, '$(sparkle) FIM embedded   24 ms', 'last suggestion in 24 ms'],
  [{ ms: 1240, isSuggestion: false }, '$(sparkle) FIM embedded 1240 ms', 'last request: nothing, in 1240 ms'],
];
for (const [lastAnswer, text, words] of ANSWERS) {
  test(`the item shows the model and the time of the last answer, and screen readers hear: ${words}`, () => {
    const view = describeStatus({ ...FACTS, lastAnswer }, NOW);

    assert.equal(view.text.replaceAll('\u2007', ' '), text);
    assert.equal(view.label, `FIM LSP: ready, embedded, ${words}`);
    assert.ok(view.tooltip.includes(words));
  });
}

test('where the document is no file, the status bar stays calm, and a request by hand is told why', () => {
  const facts = { ...FACTS, document: document({ scheme: 'output' }) };

  assert.equal(describeStatus(facts, NOW).indicator, 'ready');
  assert.match(findOffReason(facts, NOW)?.long ?? '', /only files on a disk/);
});
