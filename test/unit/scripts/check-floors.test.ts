/** The house rules on small made-up trees: each breach must be reported, each allowed thing must pass. */
import { describe, expect, test } from 'vitest';
import { checkHouse } from '../../../scripts/house/check.ts';

function problems(tree: Record<string, string>): string[] {
  return checkHouse(new Map(Object.entries(tree)), 'dibs').map(
    ({ path, line, message }) => `${path}:${line}: ${message}`,
  );
}

describe('floors', () => {
  test.each([
    ['coordinator/a.ts', '../agent/b.ts', 'coordinator (floor 4) may not import agent (floor 4)'],
    ['agent/jobs/a.ts', '../../coordinator/b.ts', 'agent (floor 4) may not import coordinator (floor 4)'],
    ['sdk/client/a.ts', '../executor/b.ts', 'sdk/client (floor 3) may not import sdk/executor (floor 3)'],
    ['sdk/executor/a.ts', '../client/b.ts', 'sdk/executor (floor 3) may not import sdk/client (floor 3)'],
    ['sdk/common/a.ts', '../../runtime/b.ts', 'sdk/common (floor 2) may not import runtime (floor 2)'],
    ['runtime/a.ts', '../proto/convert/b.ts', 'runtime (floor 2) may not import proto/convert (floor 2)'],
    ['runtime/a.ts', '../coordinator/b.ts', 'runtime (floor 2) may not import coordinator (floor 4)'],
    ['proto/gen/a.ts', '../../sdk/common/b.ts', 'proto/gen (floor 1) may not import sdk/common (floor 2)'],
    ['cli/a.ts', '../bench/b.ts', 'cli (floor 5) may not import bench (floor 5)'],
    ['agent/a.ts', '../test/support/b.ts', 'only tests import from test/'],
    ['attic/a.ts', '../runtime/b.ts', 'attic/ is on no floor: add it to scripts/house/floors.ts'],
  ])('%s importing %s is reported', (path, specifier, message) => {
    expect(problems({ [path]: `\nimport { b } from '${specifier}';` })).toEqual([
      `${path}:2: ${message} ('${specifier}')`,
    ]);
  });

  test.each([
    ['coordinator/grpc/a.ts', '../workflow/b.ts'],
    ['coordinator/grpc/a.ts', '../../sdk/executor/b.ts'],
    ['coordinator/a.ts', './b.ts'],
    ['runtime/a.ts', '../sdk/common/b.ts'],
    ['proto/convert/a.ts', '../../sdk/common/b.ts'],
    ['sdk/common/a.ts', '../../proto/gen/b.ts'],
    ['sdk/index.ts', './client/index.ts'],
    ['cli/a.ts', '../agent/b.ts'],
    ['cli/a.ts', '../package.json'],
    ['examples/a.ts', 'dibs/sdk/executor'],
    ['test/unit/a.ts', '../../coordinator/b.ts'],
    ['vitest.config.ts', './scripts/b.ts'],
  ])('%s may import %s', (path, specifier) => {
    expect(problems({ [path]: `import { b } from '${specifier}';` })).toEqual([]);
  });

  test.each([
    `import type { B } from '../agent/b.ts';`,
    `export { b } from '../agent/b.ts';`,
    `export * from '../agent/b.ts';`,
    `const b = await import('../agent/b.ts');`,
    `type B = import('../agent/b.ts').B;`,
    `import '../agent/b.ts';`,
  ])('every form of import counts: %s', (text) => {
    expect(problems({ 'coordinator/a.ts': text })).toHaveLength(1);
  });

  test('text that only looks like an import does not count', () => {
    expect(
      problems({ 'coordinator/a.ts': `// import '../agent/b.ts'\nconst s = "import '../agent/b.ts'";` }),
    ).toEqual([]);
  });
});

describe('purity', () => {
  const ENGINE = 'coordinator/workflow/engine.ts';

  test.each([
    [`import { readFile } from 'node:fs/promises';`, 'imports node:fs/promises'],
    [`import { connect } from 'node:net';`, 'imports node:net'],
    [`import { setTimeout } from 'node:timers/promises';`, 'imports node:timers/promises'],
    [`import { Redis } from 'ioredis';`, 'imports ioredis'],
    [`import { status } from '@grpc/grpc-js';`, 'imports @grpc/grpc-js'],
    [
      `import { randomUUID } from 'node:crypto';`,
      'imports more than createHash, createHmac, hash, timingSafeEqual from node:crypto',
    ],
    [`const at = Date.now();`, 'uses Date.now'],
    [`const now = Date.now;`, 'uses Date.now'],
    [`const at = new Date();`, 'reads the clock with new Date()'],
    [`const n = Math.random();`, 'uses Math.random'],
    [`const e = process.env['A'];`, 'uses process.env'],
    [`setTimeout(() => {}, 1);`, 'calls setTimeout()'],
    [`const id = crypto.randomUUID();`, 'uses crypto.randomUUID'],
  ])('%s is reported', (text, message) => {
    expect(problems({ [ENGINE]: text })).toEqual([`${ENGINE}:1: a pure module ${message}`]);
  });

  test.each([
    `const at = new Date(0);`,
    `const n = Math.max(1, 2);`,
    `import { createHash } from 'node:crypto';`,
    `const view = { process: 1 }; const n = view.process;`,
    `// Date.now() is a parameter here`,
    `import { z } from 'zod';`,
  ])('%s is pure', (text) => {
    expect(problems({ [ENGINE]: text })).toEqual([]);
  });

  test.each([
    'coordinator/workflow/graph-order.ts',
    'coordinator/workflow/engine/retry.ts',
    'coordinator/queue/rank.ts',
    'coordinator/progress/formula.ts',
    'sdk/common/ids.ts',
    'agent/claim/slots.ts',
  ])('%s must be pure', (path) => {
    expect(problems({ [path]: 'Date.now();' })).toHaveLength(1);
  });

  test('other modules may do I/O', () => {
    expect(problems({ 'coordinator/workflow/commit.ts': 'Date.now();' })).toEqual([]);
  });

  test('what a pure module runs must be pure too; what it only takes types from need not be', () => {
    const helper = 'coordinator/workflow/helper.ts';
    const impure = { [helper]: 'export const at = Date.now();' };
    expect(problems({ ...impure, [ENGINE]: `import { at } from './helper.ts';` })).toEqual([
      `${helper}:1: a module that pure ${ENGINE} runs uses Date.now`,
    ]);
    expect(problems({ ...impure, [ENGINE]: `import type { at } from './helper.ts';` })).toEqual([]);
  });
});
