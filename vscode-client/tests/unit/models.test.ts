import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  availableInOrder, formatMemory, formatSize, formatSpeed, type AvailableModel, type InstalledModel,
} from '../../src/models.ts';

const INSTALLED: InstalledModel = {
  name: 'default', problem: '', parameters: 10.2e6, bytes: 10.4e6, sha256: '', license: '',
  isCurrent: true, isRemovable: false,
};
const AVAILABLE: AvailableModel = {
  name: 'small', family: 'Small', parameters: 494e6, license: 'Apache-2.0', licenseUrl: '', isPermissive: true,
  downloadBytes: 491e6, memoryBytes: 0.9e9, fits: true, isRecommended: false, why: '', isInstalled: false,
};

const SIZES: [InstalledModel | AvailableModel, string][] = [
  [INSTALLED, '10.2 M parameters, 10 MB'],
  [AVAILABLE, '494 M parameters, 491 MB, Apache-2.0'],
  [{ ...AVAILABLE, parameters: 7.6e9, downloadBytes: 4.7e9, license: 'Gemma' }, '7.6 B parameters, 4.7 GB, Gemma'],
];
for (const [model, text] of SIZES) {
  test(`the size of a model stands beside its name: ${text}`, () => {
    assert.equal(formatSize(model), text);
  });
}

test('an installed model has the memory beside it that the catalogue expects; one that is not in it has none', () => {
  assert.equal(formatMemory({ ...INSTALLED, name: 'small' }, [AVAILABLE]), '900 MB of memory');
  assert.equal(formatMemory(INSTALLED, [AVAILABLE]), '');
});

test('a measured speed fits into one line', () => {
  const speed = { firstTokenMs: 68.6, tokensPerSecond: 301.4 };

  assert.equal(formatSpeed(speed), 'first token in 69 ms, then 301 per second here');
});

test('the recommended model comes first, those that do not fit last, and installed ones are left out', () => {
  const models = [
    { ...AVAILABLE, name: 'huge', fits: false },
    { ...AVAILABLE, name: 'here', isInstalled: true },
    { ...AVAILABLE, name: 'slow' },
    { ...AVAILABLE, name: 'best', isRecommended: true },
  ];

  assert.deepEqual(availableInOrder(models).map(({ name }) => name), ['best', 'slow', 'huge']);
});
