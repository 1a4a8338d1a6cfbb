import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decisive, explainSilence, type Trace } from '../../src/why.ts';

const TRACE: Trace = { outcome: 'nothing', reasonCode: '', reason: '' };
const UNSURE = { reasonCode: 'lowConfidence', probability: 0.12, leastProbability: 0.3312 };

const CASES: [string, Partial<Trace>, RegExp, string[]][] = [
  ['too unsure', UNSURE, /not sure enough: 12 %, and 33 % are needed/, ['fimLsp.trigger']],
  ['too unsure, and another eagerness would show it', { ...UNSURE, eagernessToShow: 0.72 }, /12 %/,
    ['fimLsp.trigger', 'fimLsp.setEagerness']],
  ['too unsure without figures', { reasonCode: 'lowConfidence', probability: null }, /not sure enough\.$/,
    ['fimLsp.trigger']],
  ['switched off', { reasonCode: 'disabled' }, /turned off\.$/, ['fimLsp.toggle']],
  ['switched off for the language', { reasonCode: 'languageDisabled' }, /off for go/, ['fimLsp.toggleLanguage']],
  ['not learned', { reasonCode: 'notLearned' }, /rarely right in go/,
    ['fimLsp.selectModel', 'fimLsp.trigger', 'fimLsp.toggleLanguage']],
  ['excluded', { reasonCode: 'excluded', reason: 'excluded: a secret' }, /a secret/, ['workbench.action.openSettings']],
  ['broken', { outcome: 'failed', reasonCode: 'engineError', reason: 'engine error: gone' }, /gone/,
    ['fimLsp.restart', 'fimLsp.showOutput']],
  ['overtaken', { outcome: 'superseded' }, /You typed on/, ['fimLsp.trigger']],
  ['of a kind that a later server has', { reasonCode: 'moonPhase', reason: 'the moon' }, /the moon/,
    ['fimLsp.trigger', 'fimLsp.explain']],
];
for (const [what, given, sentence, commands] of CASES) {
  test(`a request that gave nothing because it was ${what} is explained, with what helps`, () => {
    const reason = explainSilence({ ...TRACE, ...given }, 'go');

    assert.match(reason.sentence, sentence);
    assert.deepEqual(reason.actions.map(({ command }) => command), commands);
  });
}

test('of a place that gave nothing before, the reason is that of the time before', () => {
  const again = { ...TRACE, reasonCode: 'nothingBefore' };
  const unsure = { ...TRACE, ...UNSURE };

  assert.equal(decisive([again, { ...TRACE, outcome: 'superseded' }, again, unsure]), unsure);
  assert.equal(decisive([unsure, again]), unsure);
  assert.equal(decisive([again]), again);
  assert.equal(decisive([]), undefined);
});

test('each reason that the server knows has a sentence of its own', () => {
  const reasons = readFileSync(join(import.meta.dirname, '../../../fim_lsp/completion/reasons.py'), 'utf8');
  const [, body = ''] = /class Reason\(Enum\):([\s\S]*?)\n\n\n/.exec(reasons) ?? [];
  const codes = [...body.matchAll(/= "(\w+)"/g)].map((match) => match[1] ?? '');
  const unknown = explainSilence({ ...TRACE, reasonCode: 'moonPhase', reason: '(the server\'s words)' }, 'go').sentence;

  assert.ok(codes.length > 8);
  for (const reasonCode of codes) {
    const { sentence } = explainSilence({ ...TRACE, reasonCode, reason: '(the server\'s words)' }, 'go');
    assert.notEqual(sentence, unknown, reasonCode);
  }
});
