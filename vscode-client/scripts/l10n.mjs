// Write the list of messages to translate into l10n/bundle.l10n.json; a test compares the two.
//   npm run l10n
import { mkdirSync, writeFileSync } from 'node:fs';
import { findMessages } from './messages.mjs';

process.chdir(new URL('..', import.meta.url).pathname);
const { messages, untranslated } = findMessages();
mkdirSync('l10n', { recursive: true });
const bundle = Object.fromEntries(messages.map((message) => [message, message]));
writeFileSync('l10n/bundle.l10n.json', `${JSON.stringify(bundle, null, 2)}\n`);
console.log(`${messages.length} messages`);
for (const one of untranslated) console.error(`not translated: ${one}`);
process.exitCode = untranslated.length === 0 ? 0 : 1;
