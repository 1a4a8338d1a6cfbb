import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { probe, search, type Candidate } from '../../src/interpreter.ts';
import { PYTHON, script, temporaryFolder } from './programs.ts';

const folder = temporaryFolder();
const onPath = (path: string): Candidate => ({ path, origin: 'PATH' });
const named = (path: string): Candidate => ({ path, origin: 'setting' });
const answering = (name: string, version: string, missing = '-'): string =>
  script(folder, name, `echo "fim-lsp-probe ${version} ${missing}"`);

const bare = answering('bare', '3.12.1', 'fim_lsp,model_runtime,pygls,lsprotocol,tokenizers');
const old = answering('old', '3.8.10', 'fim_lsp');
const two = answering('two', '2.7.18');
const partial = answering('partial', '3.11.2', 'pygls,tokenizers');
const good = answering('good', '3.10.0');
const crashing = script(folder, 'crashing', 'echo "Fatal Python error: init_fs_encoding" >&2; exit 1');
const silent = script(folder, 'silent', 'exit 0');
const dangling = join(folder, 'dangling');
symlinkSync(join(folder, 'python-that-was-removed'), dangling);
const plain = join(folder, 'plain');
writeFileSync(plain, 'no program');

test('a Python with the server is usable', async () => {
  const outcome = await probe(PYTHON, folder);

  assert.equal(outcome.kind, 'usable');
});

test('a Python without CTranslate2 is usable, because another engine may run the model', async () => {
  const hide = 'import sys; sys.modules["ctranslate2"] = None; exec(sys.argv[2])';
  const outcome = await probe(script(folder, 'other-engine', `exec ${PYTHON} -c '${hide}' "$@"`), folder);

  assert.equal(outcome.kind, 'usable');
});

test('what a site customization prints does not disturb', async () => {
  const noisy = script(folder, 'noisy', 'echo welcome; echo "fim-lsp-probe 3.11.0 -"; echo bye');

  assert.deepEqual(await probe(noisy, folder), { kind: 'usable', version: '3.11.0' });
});

test('a Python that hangs is given up', async () => {
  const hanging = script(folder, 'hanging', 'exec sleep 60');

  assert.deepEqual(await probe(hanging, folder, 300), { kind: 'broken', why: 'it did not answer within 0.3 s' });
});

test('packages in the working folder are not mistaken for installed ones', async () => {
  const work = temporaryFolder();
  const outcome = await probe('python3', work);
  writeFileSync(join(work, 'fim_lsp.py'), '');

  assert.equal(outcome.kind === 'usable', false, 'this test wants a python3 on PATH without fim-lsp');
});

for (const [what, candidates, winner] of [
  ['the first that has the server is taken', [bare, good, answering('later', '3.13.0')], good],
  ['old and broken ones are passed over', [old, crashing, dangling, join(folder, 'none'), good], good],
] as const) {
  test(what, async () => {
    const found = await search(candidates.map(onPath), folder);

    assert.ok(found.kind === 'found');
    assert.equal(found.candidate.path, winner);
  });
}

test('a private environment stands in for a named Python that lacks the server', async () => {
  const found = await search([named(bare), { path: good, origin: 'private' }], folder);

  assert.ok(found.kind === 'found');
  assert.equal(found.candidate.origin, 'private');
});

test('a private environment does not stand in for a named Python that is not there', async () => {
  const found = await search([named(join(folder, 'none')), { path: good, origin: 'private' }], folder);

  assert.equal(found.kind, 'not found');
});

const NOT_FOUND: [string, Candidate[], RegExp, string | undefined][] = [
  [
    'no Python at all', [onPath(join(folder, 'none'))],
    /^No Python was found on PATH\. Install Python 3\.10 or later, or name one in fimLsp\.interpreter\.$/, undefined,
  ],
  [
    'only an old one', [onPath(old)],
    /^Python 3\.8\.10 \(.*old\) is too old: fim-lsp needs 3\.10 or later\. Install a newer one/, undefined,
  ],
  ['only Python 2', [onPath(two)], /^Python 2\.7\.18 .* is too old/, undefined],
  [
    'one without fim-lsp, which can get it', [onPath(old), onPath(bare)],
    /^One step is left: install the server\. .* made with Python 3\.12\.1 \(.*bare\)/, bare,
  ],
  [
    'one with a part of it', [onPath(partial)],
    /^fim-lsp is incomplete for Python 3\.11\.2 .*: pygls, tokenizers missing\. Run: .* --force-reinstall fim-lsp$/,
    partial,
  ],
  [
    'a crashing one', [onPath(crashing)],
    /crashing does not work: Fatal Python error: init_fs_encoding\. Repair it/, undefined,
  ],
  ['one that prints nothing', [onPath(silent)], /silent does not work: it is not a Python/, undefined],
  [
    'a setting that names nothing', [named(join(folder, 'none'))],
    /^fimLsp\.interpreter: there is no .*none\. Correct the setting/, undefined,
  ],
  [
    'a setting that names something else than a program', [named(plain)],
    /^fimLsp\.interpreter: .*plain does not work: it may not be executed/, undefined,
  ],
  [
    'a setting that names a broken environment', [named(dangling)],
    /dangling does not work: its environment is broken: it links to .*python-that-was-removed, which is gone/,
    undefined,
  ],
  [
    'a setting that names one without fim-lsp', [named(bare)],
    /^One step is left: install the server\. .* made with Python 3\.12\.1 \(.*bare\)/, bare,
  ],
];
for (const [what, candidates, message, base] of NOT_FOUND) {
  test(`${what}: the message says what is wrong and what to do`, async () => {
    const found = await search(candidates, folder);

    assert.ok(found.kind === 'not found');
    assert.match(found.message, message);
    assert.equal(found.base, base);
  });
}
