/** Tenants as configured: whose a token is, what is wrong with a file; rates as typed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseRate } from '../../../coordinator/agents/rates.ts';
import { Tenants, readTenants } from '../../../coordinator/tenants.ts';

const folder = mkdtempSync(join(tmpdir(), 'dibs-tenants-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string): string {
  const path = join(folder, 'tenants.yaml');
  writeFileSync(path, text);
  return path;
}

test('a token is its tenant, weights are thousandths, tiers are bands', () => {
  const tenants = new Tenants([
    { name: 'a', tokens: ['one', 'two'], weight: 2.5, maxPriority: 'low', maxRunning: 7 },
    { name: 'b' },
  ]);
  expect(['one', 'two', 'three', undefined].map((token) => tenants.ownerOf(token))).toEqual([
    'a',
    'a',
    undefined,
    undefined,
  ]);
  expect(['a', 'b', 'c'].map((name) => tenants.weightOf(name))).toEqual([2500, 1000, 1000]);
  expect(['a', 'b'].map((name) => tenants.maxBandOf(name))).toEqual([0, 2]);
  expect([...tenants.caps]).toEqual([['a', 7]]);
  expect([tenants.haveTokens, new Tenants([{ name: 'b' }]).haveTokens]).toEqual([true, false]);
});

test('all mistakes of a file at once, with their places', () => {
  const path = file('tenants:\n  - name: "a b"\n    weight: 0\n  - name: c\n    maxPriorty: high\n');
  expect(() => readTenants(path)).toThrow(/tenants\.0\.name has letters[^]*tenants\.0\.weight[^]*maxPriorty/);
  expect(() => readTenants(file('tenants:\n  - name: a\n  - name: a\n'))).toThrow(/"a" is there twice/);
  expect(() => readTenants(file('tenants:\n  - name: a\n    tokenFile: /nowhere\n'))).toThrow(/nowhere/);
  expect(() => readTenants(join(folder, 'nothing'))).toThrow(/ENOENT/);
});

test.each([
  ['image.make=10/s', { type: 'image.make', limit: { perSecond: 10 } }],
  ['video.cut=30/m:2', { type: 'video.cut', limit: { perSecond: 0.5, burst: 2 } }],
  ['a=1.5/h', { type: 'a', limit: { perSecond: 1.5 / 3600 } }],
  ['a=0/s', undefined],
  ['a=1', undefined],
  ['=1/s', undefined],
  ['a=1/d', undefined],
])('%s', (text, expected) => {
  expect(parseRate(text)).toEqual(expected);
});
