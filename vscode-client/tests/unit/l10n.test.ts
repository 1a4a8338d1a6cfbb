import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { t, useTranslations } from '../../src/l10n.ts';

interface Found {
  messages: string[];
  untranslated: string[];
}

const CLIENT = join(import.meta.dirname, '../..');
const { findMessages } = await import(join(CLIENT, 'scripts/messages.mjs')) as { findMessages: () => Found };

test('all that people read goes through the translation', () => {
  const { messages, untranslated } = findMessages();

  assert.deepEqual(untranslated, []);
  assert.ok(messages.length > 100);
});

test('the list for translators has each message, and no other: npm run l10n writes it anew', () => {
  const bundle = JSON.parse(readFileSync(join(CLIENT, 'l10n/bundle.l10n.json'), 'utf8')) as Record<string, string>;

  assert.deepEqual(Object.keys(bundle), findMessages().messages);
});

test('a message has its values put in, in the order of the translation', () => {
  assert.equal(t('{0} on {1}', 'small', 'onnx'), 'small on onnx');
  useTranslations((message, ...values) => (message === '{0} on {1}' ? `${values[1]} mit ${values[0]}` : message));
  assert.equal(t('{0} on {1}', 'small', 'onnx'), 'onnx mit small');
});
