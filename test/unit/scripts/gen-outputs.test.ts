/** `gen:check` finds whatever differs, and applying the difference leaves none. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { apply, differences } from '../../../scripts/gen/outputs.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dibs-outputs-'));
  await mkdir(join(root, 'gen/deep'), { recursive: true });
  await writeFile(join(root, 'gen/same.ts'), 'same');
  await writeFile(join(root, 'gen/changed.ts'), 'old');
  await writeFile(join(root, 'gen/deep/stale.ts'), 'stale');
  await writeFile(join(root, 'hand-written.ts'), 'mine');
});
afterEach(() => rm(root, { recursive: true }));

const OWNED = ['gen/', 'single.ts'];
const WANTED = new Map([
  ['gen/same.ts', 'same'],
  ['gen/changed.ts', 'new'],
  ['gen/deep/missing.ts', 'm'],
  ['single.ts', 's'],
]);

test('reports what is changed, missing and stale, and leaves everything else alone', async () => {
  expect(await differences(root, OWNED, WANTED)).toEqual([
    { path: 'gen/changed.ts', kind: 'changed' },
    { path: 'gen/deep/missing.ts', kind: 'missing' },
    { path: 'gen/deep/stale.ts', kind: 'stale' },
    { path: 'single.ts', kind: 'missing' },
  ]);
});

test('applying the difference leaves none', async () => {
  await apply(root, await differences(root, OWNED, WANTED), WANTED);
  expect(await differences(root, OWNED, WANTED)).toEqual([]);
  expect(await readFile(join(root, 'gen/changed.ts'), 'utf8')).toBe('new');
  expect(await readFile(join(root, 'hand-written.ts'), 'utf8')).toBe('mine');
});

test('an owned single file that is no longer generated is stale', async () => {
  await writeFile(join(root, 'single.ts'), 's');
  const wanted = new Map([...WANTED].filter(([path]) => path !== 'single.ts'));
  const found = await differences(root, OWNED, wanted);
  expect(found).toContainEqual({ path: 'single.ts', kind: 'stale' });
});
