import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastWeek, total } from '../../src/usage.ts';
import { usagePage, type UsageFacts } from '../../src/usage_page.ts';

const SUNDAY = new Date(2026, 10, 29, 23, 59);
const USAGE = {
  isCounting: true,
  days: [
    { day: '2026-11-20', accepted: 9, keys: 900 },
    { day: '2026-11-24', accepted: 3, keys: 120 },
    { day: '2026-11-29', accepted: 40, keys: 1500 },
  ],
};
const FACTS: UsageFacts = {
  week: lastWeek(USAGE, SUNDAY), isCounting: true, model: ['embedded on onnx'], problems: [], actions: [],
  locale: 'en',
};

test('the week ends today, has seven days, and zeros where nothing was accepted', () => {
  const week = lastWeek(USAGE, SUNDAY);

  assert.deepEqual(week.map(({ keys }) => keys), [0, 120, 0, 0, 0, 0, 1500]);
  assert.deepEqual([week[0]?.day, week[6]?.day], ['2026-11-23', '2026-11-29']);
  assert.deepEqual(total(week), { accepted: 43, keys: 1620 });
});

test('the page says the sum, and draws a bar with a number for each day on which keys were saved', () => {
  const page = usagePage(FACTS, 'n0nce');

  assert.match(page, />1,620<\/span> with 43 accepted suggestions/);
  assert.equal(page.match(/<rect/g)?.length, 7);
  assert.match(page, />1,500<\/text>/);
  assert.match(page, /aria-label="Keys saved by day: 2026-11-23: 0, 2026-11-24: 120/);
});

test('the page lets nothing in but its own style: no script, no picture, no host', () => {
  const page = usagePage(FACTS, 'n0nce');

  assert.match(page, /content="default-src 'none'; style-src 'nonce-n0nce'"/);
  assert.doesNotMatch(page, /<script|<img|\bon\w+=|https?:|\bstyle="/);
});

test('what comes from elsewhere is text on the page, and an action is a link to its command', () => {
  const problem = {
    sentence: '<img src=x onerror=alert(1)> & "more"', isBlocking: true,
    actions: [{ title: 'Open', command: 'workbench.action.openSettings', arguments: ['@id:fimLsp.exclude'] }],
  };
  const page = usagePage({ ...FACTS, problems: [problem] }, 'n');

  assert.ok(page.includes('&lt;img src=x onerror=alert(1)&gt; &amp; &quot;more&quot;'));
  assert.ok(page.includes('href="command:workbench.action.openSettings?%5B%22%40id%3AfimLsp.exclude%22%5D"'));
});

test('without a server the page says so instead of zeros', () => {
  assert.match(usagePage({ ...FACTS, week: undefined }, 'n'), /The server is not running/);
});

test('where the user does not want to be counted, the page says so', () => {
  assert.match(usagePage({ ...FACTS, isCounting: false }, 'n'), /Counting is turned off/);
});
