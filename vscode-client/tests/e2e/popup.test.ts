/** Tests ghost text beside VS Code's own popup, which is on by default. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Editor, PYTHON, REPOSITORY, until, withScreenshot } from './vscode.ts';

/** No line ends in a word: Enter would take the popup's entry. */
const TYPED = `def report(inventory):
for item in inventory.items.values():
print(item.name, item.price, item.quantity)
print(inventory.total())
`;

interface Seen {
  /** The selected one of the popup. */
  entry: string;
  ghost: string;
}

let editor: Editor;
before(async () => { editor = await Editor.launch({ popup: true }); });
after(async () => { await editor.close(); });

/** Whether VS Code has a longer word to offer for the one at the end of a text. */
function opensPopup(text: string): boolean {
  const start = text.search(/\w*$/);
  const begun = text.slice(start);
  const words = text.slice(0, start).match(/\w+/g) ?? [];
  return begun !== '' && words.some((word) => word.startsWith(begun) && word !== begun);
}

test('with the popup open, ghost text is never the rest of its entry alone', async () => {
  const text = `${readFileSync(join(REPOSITORY, 'examples/inventory.py'), 'utf8')}\n\n`;
  const window = await editor.open({ 'inventory.py': text }, { 'fimLsp.interpreter': PYTHON });
  await withScreenshot(window, 'popup', async () => {
    await window.status(/^ready/);
    await window.focusEnd();
    const look = async (): Promise<Seen> => ({ entry: await window.popup(), ghost: await window.ghost() });
    let popups = 0;
    for (let end = 1; end <= TYPED.length; end++) {
      const typed = TYPED.slice(0, end);
      await window.type(typed.slice(-1));
      if (opensPopup(text + typed)) {
        // VS Code opens none where the key goes on with the ghost text.
        const seen = await until(`no popup after ${typed}`, look, ({ entry, ghost }) => entry !== '' || ghost !== '');
        popups += Number(seen.entry !== '');
      }
      // Ghost text from before the popup stays until the request with its entry is answered.
      await until(
        `after ${typed} the ghost text is the rest of the entry`, look,
        ({ entry, ghost }) => entry === '' || ghost === '' || !entry.endsWith(ghost),
      );
    }
    assert.ok(popups > 30, `the popup was open after ${popups} keys only`);
    await window.screenshot('popup');
  });
  await window.close();
});
