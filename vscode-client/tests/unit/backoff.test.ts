import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff, MAX_RESTARTS, WINDOW_MS } from '../../src/backoff.ts';

test('the wait doubles, and the sixth stop within three minutes is the last', () => {
  const backoff = new Backoff();
  const delays = Array.from({ length: MAX_RESTARTS + 1 }, (_, second) => backoff.next(second * 1000));

  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, undefined]);
});

test('stops that are long past do not count', () => {
  const backoff = new Backoff();
  for (let stop = 0; stop < 100; stop++) assert.notEqual(backoff.next(stop * WINDOW_MS / MAX_RESTARTS), undefined);
});

test('a restart by the user begins anew', () => {
  const backoff = new Backoff();
  for (let stop = 0; stop <= MAX_RESTARTS; stop++) backoff.next(0);
  backoff.reset();

  assert.equal(backoff.next(0), 500);
});
