/** Every planted bug still has a place to be planted at. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BUGS } from '../../chaos/mutants/bugs.ts';

test.each(BUGS.map(({ name, ...bug }) => [name, bug] as const))('%s', (_, { file, from, to }) => {
  const text = readFileSync(join(import.meta.dirname, '../../..', file), 'utf8');
  expect(text.split(from)).toHaveLength(2);
  expect(to).not.toBe(from);
});
