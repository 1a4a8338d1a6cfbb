import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  availableInOrder, formatNeeds, formatSize, formatSpeed, type AvailableModel, type InstalledModel,
} from '../../src/models.ts';

const INSTALLED: InstalledModel = {
  name: 'default', problem: '', parameters: 10.2e6, bytes: 10.4e6, sha256: '', license: '',
  isCurrent: true, isRemovable: false,
};
const AVAILABLE: AvailableModel = {
  name: 'small', family: 'Small', parameters: 494e6, license: 'Apache-2.0', licenseUrl: '', isPermissive: true,
  downloadBytes: 491e6, memoryBytes: 1.13e9, keyMs: 123, fits: true, isRecommended: false, why: '', isInstalled: false,
};

test('the size of an installed model fits into one line', () => {
  assert.equal(formatSize(INSTALLED), '10.2 M parameters, 10 MB');
});

test('a measured speed fits into one line', () => {
  const speed = { firstTokenMs: 68.6, tokensPerSecond: 301.4 };

  assert.equal(formatSpeed(speed), 'first token in 69 ms, then 301 per second here');
});

const NEEDS: [Partial<AvailableModel>, string][] = [
  [{}, '494 M parameters, 491 MB to fetch, 1.1 GB of memory; about 120 ms per suggestion here; Apache-2.0'],
  [
    { parameters: 7.6e9, downloadBytes: 4.7e9, memoryBytes: 9.04e9, keyMs: 2345, license: 'Gemma' },
    '7.6 G parameters, 4.7 GB to fetch, 9.0 GB of memory; about 2.3 s per suggestion here; Gemma',
  ],
];
for (const [model, text] of NEEDS) {
  test(`what a model needs fits into one line: ${text}`, () => {
    assert.equal(formatNeeds({ ...AVAILABLE, ...model }), text);
  });
}

test('the recommended model comes first, those that do not fit last, and installed ones are left out', () => {
  const models = [
    { ...AVAILABLE, name: 'huge', fits: false },
    { ...AVAILABLE, name: 'here', isInstalled: true },
    { ...AVAILABLE, name: 'slow' },
    { ...AVAILABLE, name: 'best', isRecommended: true },
  ];

  assert.deepEqual(availableInOrder(models).map(({ name }) => name), ['best', 'slow', 'huge']);
});
