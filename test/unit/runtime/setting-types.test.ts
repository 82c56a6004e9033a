/** What people may write for durations, sizes, lists and addresses. */
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import {
  byteSize,
  duration,
  listenAddress,
  textList,
  textMap,
  toggle,
  wholeNumber,
} from '../../../runtime/setting-types.ts';

const read = (schema: z.ZodType, value: unknown): unknown => {
  const result = schema.safeParse(value);
  return result.success ? result.data : 'refused';
};

describe.each([
  [
    'duration',
    duration,
    [
      ['250ms', 250],
      ['30s', 30_000],
      ['1h30m', 5_400_000],
      ['1.5s', 1_500],
      ['2d', 172_800_000],
      ['30', 'refused'],
      [30, 'refused'],
      ['soon', 'refused'],
      ['-5s', 'refused'],
    ],
  ],
  [
    'byteSize',
    byteSize,
    [
      ['10GiB', 10 * 2 ** 30],
      ['512MiB', 512 * 2 ** 20],
      ['1.5GB', 1.5e9],
      ['64k', 'refused'],
      [1024, 1024],
      ['1024', 1024],
      [-1, 'refused'],
      [1.5, 'refused'],
    ],
  ],
  [
    'wholeNumber',
    wholeNumber(0, 10),
    [
      ['3', 3],
      [3, 3],
      ['3.5', 'refused'],
      ['', 'refused'],
      ['11', 'refused'],
      ['0x3', 'refused'],
    ],
  ],
  [
    'toggle',
    toggle,
    [
      [true, true],
      ['off', false],
      ['YES', true],
      ['1', true],
      ['perhaps', 'refused'],
    ],
  ],
  [
    'textList',
    textList,
    [
      ['a, b,,c', ['a', 'b', 'c']],
      [
        ['a', 'b'],
        ['a', 'b'],
      ],
      [[1], 'refused'],
    ],
  ],
  [
    'textMap',
    textMap,
    [
      ['zone=eu, disk=ssd=fast', { zone: 'eu', disk: 'ssd=fast' }],
      [
        { zone: 'eu', rack: 7 },
        { zone: 'eu', rack: '7' },
      ],
      ['zone', 'refused'],
    ],
  ],
  [
    'listenAddress',
    listenAddress,
    [
      ['127.0.0.1:7700', { host: '127.0.0.1', port: 7700 }],
      ['[::1]:7700', { host: '::1', port: 7700 }],
      [':7700', { host: '', port: 7700 }],
      ['7700', { host: '127.0.0.1', port: 7700 }],
      [7700, { host: '127.0.0.1', port: 7700 }],
      ['host:70000', 'refused'],
      ['host', 'refused'],
    ],
  ],
] as [string, z.ZodType, [unknown, unknown][]][])('%s', (_name, schema, cases) => {
  test.each(cases)('%j → %j', (value, wanted) => {
    expect(read(schema, value)).toEqual(wanted);
  });
});
