/** Tests in real VS Code what a person does with suggestions, with a model whose answers are known. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Editor, SCRIPTED, until, withScreenshot, type Window } from './vscode.ts';

const COMMAND = { 'fimLsp.command': SCRIPTED };

let editor: Editor;
before(async () => { editor = await Editor.launch(); });
after(async () => { await editor.close(); });

function scenario(name: string, window: () => Window, work: (window: Window) => Promise<void>): void {
  test(name, () => withScreenshot(window(), name, () => work(window())));
}

describe('in a Python file', () => {
  let window: Window;
  before(async () => {
    window = await editor.open({ 'a.py': 'import os\n\n' }, COMMAND);
    await window.status(/^ready/);
    await window.focusEnd();
  });
  after(async () => { await window.close(); });
  const fresh = async (): Promise<void> => {
    await window.press('Escape', 'Control+a', 'Delete');
  };

  scenario('typing shows ghost text, Tab accepts it, and the file on disk is equal', () => window, async (w) => {
    await w.type('def add(');
    await w.expectGhost('a, b:\n    return a + b');  // VS Code draws the bracket that is there already
    await w.screenshot('typing');
    await w.press('Tab');
    await w.expectSaved('a.py', 'import os\n\ndef add(a, b):\n    return a + b');
  });

  scenario('undo after accepting brings back what was typed', () => window, async (w) => {
    await w.press('Control+z');
    await w.expectSaved('a.py', 'import os\n\ndef add()');
  });

  scenario('a bracket that VS Code closed by itself is not doubled', () => window, async (w) => {
    await fresh();
    await w.type('def add(');
    await w.expectSaved('a.py', 'def add()');
    await w.expectGhost('a, b:\n    return a + b');  // VS Code draws the bracket that is there already
    await w.press('Tab');
    await w.expectSaved('a.py', 'def add(a, b):\n    return a + b');
  });

  scenario('Ctrl+Right accepts a word, and one can go on from there', () => window, async (w) => {
    await fresh();
    await w.type('total = ');
    await w.expectGhost('price * quantity + tax');
    await w.press('Control+ArrowRight');
    await w.expectGhost(' * quantity + tax');
    await w.type(' * ');
    await w.expectGhost('quantity + tax');
    await w.press('Tab');
    await w.expectSaved('a.py', 'total = price * quantity + tax');
  });

  scenario('Escape dismisses the suggestion, and Tab is Tab again', () => window, async (w) => {
    await fresh();
    await w.type('total = ');
    await w.expectGhost('price * quantity + tax');
    await w.press('Escape');
    await w.expectGhost('');
    await w.press('Tab');
    await w.expectSaved('a.py', 'total =     ');
  });

  scenario('Trigger Inline Suggestion asks without typing', () => window, async (w) => {
    await fresh();
    await w.type('total = ');
    await w.expectGhost('price * quantity + tax');
    await w.press('Escape');
    await w.expectGhost('');
    await w.command('FIM LSP: Trigger Inline Suggestion');
    await w.expectGhost('price * quantity + tax');
    await w.press('Escape');
  });

  scenario('one cycles among the candidates', () => window, async (w) => {
    await fresh();
    await w.type('color = ');
    await w.expectGhost('"red"');
    const seen = new Set<string>();
    const another = async (key: string): Promise<string> => {
      const now = await w.ghost();
      await w.press(key);
      return until('no other candidate came', () => w.ghost(), (ghost) => ghost !== now && ghost !== '');
    };
    for (let step = 0; step < 3; step++) seen.add(await another('Alt+]'));
    assert.deepEqual(['"blue"', '"green"', '"red"'], [...seen].sort());
    const chosen = await another('Alt+[');
    await w.press('Tab');
    await w.expectSaved('a.py', `color = ${chosen}`);
  });

  scenario('an emoji before the cursor shifts nothing', () => window, async (w) => {
    await fresh();
    await w.page.keyboard.insertText("# 😀é\nmood = '😀");
    await w.command('FIM LSP: Trigger Inline Suggestion');
    await w.expectGhost(" é 𝛑'");
    await w.press('Tab');
    await w.expectSaved('a.py', "# 😀é\nmood = '😀 é 𝛑'");
  });
});
