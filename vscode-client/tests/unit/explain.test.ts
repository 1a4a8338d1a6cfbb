import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explanation } from '../../src/explain.ts';

const name = (uri: string): string => uri.replace('file:///work/', '');

test('before anything was asked it says what to do', () => {
  assert.match(explanation([], name), /Nothing has been asked for yet\. Type something/);
});

test('the last decision that was carried through is told in words, the others in a line each', () => {
  const text = explanation([
    { uri: 'file:///work/a.py', trigger: 'automatic', outcome: 'cancelled' },
    {
      uri: 'file:///work/a.py', trigger: 'automatic', outcome: 'nothing', reason: 'too unsure: mean log-probability below -1.40',
      remedy: 'raise fimLsp.eagerness', source: 'model', promptTokens: 227, singleLine: true, rules: ['drop_overlap'],
      somethingNew: { a: 1 }, timingsMs: { prompt: 0.9, total: 91.04 },
    },
    { uri: 'file:///work/b.py', trigger: 'invoked', outcome: 'shown', reason: '', source: 'cache', timingsMs: { total: 0.1 } },
  ], name);

  assert.equal(text, `# Explain last suggestion

**Nothing was suggested.**

Why: too unsure: mean log-probability below -1.40

What to do: raise fimLsp.eagerness

- file: a.py
- asked by: typing
- answered by: the model
- tokens read: 227
- one line only: yes
- changed by the rules: drop_overlap
- somethingNew: {"a":1}

| step   |      ms |
|--------|--------:|
| prompt |     0.9 |
| total  |    91.0 |

## The other requests, newest first

- cancelled in a.py
- shown in b.py after 0 ms
`);
});

test('what the project has written before and how sure it is are told in words', () => {
  const text = explanation([{
    uri: 'file:///work/a.py', trigger: 'automatic', outcome: 'shown', reason: '', source: 'project memory',
    writtenBefore: 4, ofTimes: 5, underSameLine: true, probability: 0.41, leastProbability: 0.25, eagerness: 0.5,
  }], name);

  for (const line of [
    '- answered by: what this project has written before',
    '- written so in this project before: 4',
    '- of how many times: 5',
    '- probability of the first line: 0.41',
    '- shown while typing from: 0.25',
  ]) assert.ok(text.includes(`${line}\n`), line);
});
