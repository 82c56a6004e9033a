/** The published package.json must point at what tsc emitted, never at a .ts source. */
import { expect, test } from 'vitest';
import { publishedDeclaration, publishedManifest } from '../../../scripts/pack/manifest.ts';

test('points entries at emitted files and drops what only the repository needs', () => {
  const manifest = publishedManifest({
    name: 'dibs',
    version: '1.2.3',
    private: false,
    bin: { dibs: 'cli/dibs.ts' },
    exports: { './sdk': './sdk/index.ts', './package.json': './package.json' },
    dependencies: { zod: '^4.0.0' },
    devDependencies: { knip: '^6.0.0' },
    scripts: { test: 'x' },
  });
  expect(manifest).toEqual({
    name: 'dibs',
    version: '1.2.3',
    bin: { dibs: 'cli/dibs.js' },
    exports: {
      './sdk': { types: './sdk/index.d.ts', default: './sdk/index.js' },
      './package.json': './package.json',
    },
    dependencies: { zod: '^4.0.0' },
  });
});

test.each([
  [`import type { Y } from './y.ts';`, `import type { Y } from './y.js';`],
  [`export * from "../a/b.ts";`, `export * from "../a/b.js";`],
  [`declare const f: () => import('./y.ts').Y;`, `declare const f: () => import('./y.js').Y;`],
  [`import { z } from 'zod';`, `import { z } from 'zod';`],
  [`declare const name = "./a.ts";`, `declare const name = "./a.ts";`],
])('declaration %s', (text, expected) => {
  expect(publishedDeclaration(text)).toBe(expected);
});
