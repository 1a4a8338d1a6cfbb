import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { install, pythonOf } from '../../src/installation.ts';
import { probe } from '../../src/interpreter.ts';
import { PYTHON, script, temporaryFolder } from './programs.ts';

const folder = temporaryFolder();
// Nothing that this machine is configured to offer, and no index.
Object.assign(process.env, {
  PIP_CONFIG_FILE: '/dev/null', PIP_INDEX_URL: 'http://127.0.0.1:9/simple', PIP_EXTRA_INDEX_URL: '', PIP_FIND_LINKS: '',
});

const MAKE_WHEEL = `
import sys, zipfile
path, name, requires = sys.argv[1], sys.argv[2], sys.argv[3:]
info = f"{name}-0.1.0.dist-info"
with zipfile.ZipFile(f"{path}/{name}-0.1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr(f"{name}/__init__.py", "")
    needs = "".join(f"Requires-Dist: {other}\\n" for other in requires)
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 0.1.0\\n{needs}")
    tags = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    wheel.writestr(f"{info}/WHEEL", tags)
    wheel.writestr(f"{info}/RECORD", f"{name}/__init__.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n")
`;

/** Makes a folder with real wheels, each given as its name and what it requires. */
function wheels(name: string, ...made: [string, ...string[]][]): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [wheel, ...requires] of made) execFileSync(PYTHON, ['-c', MAKE_WHEEL, path, wheel, ...requires]);
  return path;
}

interface Options {
  base?: string;
  wheels: string;
  signal?: AbortSignal;
}

interface Installed {
  steps: string[];
  environment: string;
  python: string;
}

async function attempt(name: string, options: Options): Promise<Installed> {
  const environment = join(folder, `environment-${name}`);
  const steps: string[] = [];
  const python = await install({
    base: options.base ?? PYTHON,
    environment,
    wheels: options.wheels,
    report: (step) => steps.push(step),
    log: () => undefined,
    signal: options.signal ?? new AbortController().signal,
  });
  return { steps, environment, python };
}

test('without a network the bundled wheel and those beside it are installed, with progress', async () => {
  const offered = wheels('whole', ['fim_lsp', 'pygls'], ['pygls']);
  const { steps, environment, python } = await attempt('whole', { wheels: offered });

  assert.equal(python, pythonOf(environment));
  const outcome = await probe(python, folder);
  assert.ok(outcome.kind === 'incomplete');
  assert.deepEqual(outcome.missing, ['model_runtime', 'lsprotocol', 'tokenizers']);
  assert.equal(steps[0], 'Making a virtual environment');
  assert.ok(steps.includes('Installing'));
  assert.ok(!steps.includes('Fetching the packages'));
});

const FAILING: [string, Options, RegExp][] = [
  [
    'no wheel in the extension', { wheels: join(folder, 'none') },
    /^This build of the extension carries no server .* Install another build\.$/,
  ],
  [
    'no network, and a package is missing', { wheels: wheels('lonely', ['fim_lsp', 'pygls-that-is-nowhere']) },
    /^The package index cannot be reached, and the packages are not on this machine\. Go online/,
  ],
  [
    'a base that cannot make environments',
    {
      base: script(folder, 'no-venv', 'echo "not created because ensurepip is not available." >&2; exit 1'),
      wheels: wheels('for-no-venv', ['fim_lsp']),
    },
    /no-venv cannot make virtual environments: .*sudo apt install python3-venv/,
  ],
  [
    'a base that is not there', { base: join(folder, 'no-python'), wheels: wheels('for-no-python', ['fim_lsp']) },
    /^No virtual environment could be made with .*no-python: .*ENOENT\. Name another Python/,
  ],
];
for (const [what, options, message] of FAILING) {
  test(`${what}: the message says what to do, and nothing half-made stays`, async () => {
    const name = what.replaceAll(/\W/g, '-');

    await assert.rejects(
      attempt(name, options), (error: Error) => message.test(error.message) || assert.fail(error.message),
    );
    assert.ok(!existsSync(join(folder, `environment-${name}`)));
  });
}

test('for a damaged wheel the message names it and says to reinstall the extension', async () => {
  const offered = join(folder, 'damaged');
  mkdirSync(offered);
  writeFileSync(join(offered, 'fim_lsp-0.1.0-py3-none-any.whl'), 'PK but no more');

  await assert.rejects(
    attempt('damaged', { wheels: offered }),
    /The bundled wheel .*fim_lsp-0\.1\.0-py3-none-any\.whl is damaged\. Reinstall the extension\.$/,
  );
});

test('a cancelled installation leaves nothing', async () => {
  const aborted = new AbortController();
  const offered = wheels('cancelled', ['fim_lsp']);
  const slow = script(folder, 'slow', 'exec sleep 60');
  const attempted = attempt('cancelled', { base: slow, wheels: offered, signal: aborted.signal });
  aborted.abort();

  await assert.rejects(attempted, { name: 'AbortError' });
  assert.ok(!existsSync(join(folder, 'environment-cancelled')));
});
