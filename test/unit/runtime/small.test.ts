/** Ids, suggestions, exit codes, signals, Redis addresses and errors. */
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { exitCodeFor } from '../../../runtime/exit-codes.ts';
import { isId, newId, randomText } from '../../../runtime/ids.ts';
import { nearest } from '../../../runtime/nearest.ts';
import { reconnectDelayMs } from '../../../runtime/redis/connection-options.ts';
import { asStoreError, storeFailure } from '../../../runtime/redis/store-errors.ts';
import { describeTarget, parseRedisTarget } from '../../../runtime/redis/target.ts';
import { onStopSignals } from '../../../runtime/signals.ts';
import { DibsError } from '../../../sdk/common/errors.ts';

describe('ids', () => {
  test('have their prefix, 26 characters and no twin', () => {
    const ids = Array.from({ length: 1_000 }, () => newId('agent'));
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^agent_[0-9a-hjkmnp-tv-z]{26}$/);
  });

  test('come from the bytes that are given', () => {
    expect(randomText(5, () => Uint8Array.of(0, 31, 32, 255, 10))).toBe('0z0za');
  });

  test('are recognised', () => {
    expect(
      [newId('wf'), 'wf_1', 'wf_', 'job_1', 'wf_a b', `wf_${'x'.repeat(101)}`].map((text) =>
        isId('wf', text),
      ),
    ).toEqual([true, true, false, false, false, false]);
  });
});

test.each([
  ['lisen', 'listen'],
  ['drian-timeout', 'drain-timeout'],
  ['LISTEN', 'listen'],
  ['zebra', undefined],
  ['a', undefined],
])('the nearest of %s is %s', (word, wanted) => {
  expect(nearest(word, ['listen', 'drain-timeout', 'token'])).toBe(wanted);
});

test.each([
  [new DibsError('UNAUTHENTICATED', ''), 4],
  [new DibsError('PERMISSION_DENIED', ''), 4],
  [new DibsError('WORKFLOW_NOT_FOUND', ''), 5],
  [new DibsError('WRONG_STATE', ''), 6],
  [new DibsError('STORE_UNAVAILABLE', ''), 7],
  [new DibsError('INVALID_WORKFLOW', ''), 1],
  [Object.assign(new Error(), { exitCode: 77 }), 77],
  [Object.assign(new Error(), { exitCode: 3 }), 1],
  [undefined, 1],
])('%s ends with %i', (error, code) => {
  expect(exitCodeFor(error)).toBe(code);
});

test('the first signal drains, the second hurries, further ones change nothing', () => {
  const source = new EventEmitter();
  const seen: string[] = [];
  const off = onStopSignals(
    { first: (signal) => seen.push(`first ${signal}`), second: (signal) => seen.push(`second ${signal}`) },
    source,
  );
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM']) source.emit(signal, signal);
  expect(seen).toEqual(['first SIGTERM', 'second SIGINT']);
  off();
  expect(source.listenerCount('SIGINT')).toBe(0);
});

describe('Redis addresses', () => {
  test.each([
    ['redis://h:1/2', { kind: 'standalone', address: { host: 'h', port: 1 }, db: 2, tls: false }],
    ['h', { kind: 'standalone', address: { host: 'h', port: 6379 }, db: 0, tls: false }],
    [
      'rediss://u:p%40ss@h',
      {
        kind: 'standalone',
        address: { host: 'h', port: 6379 },
        db: 0,
        tls: true,
        username: 'u',
        password: 'p@ss',
      },
    ],
    [
      'redis://:pw@h',
      { kind: 'standalone', address: { host: 'h', port: 6379 }, db: 0, tls: false, password: 'pw' },
    ],
    ['redis://[::1]:7', { kind: 'standalone', address: { host: '::1', port: 7 }, db: 0, tls: false }],
    ['unix:///run/r.sock', { kind: 'standalone', address: { path: '/run/r.sock' }, db: 0, tls: false }],
    ['/run/r.sock', { kind: 'standalone', address: { path: '/run/r.sock' }, db: 0, tls: false }],
    [
      'a:1,b:2',
      {
        kind: 'cluster',
        seeds: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        tls: false,
      },
    ],
    [
      'redis://a:1,redis://b:2',
      {
        kind: 'cluster',
        seeds: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        tls: false,
      },
    ],
    ['redis+cluster://a', { kind: 'cluster', seeds: [{ host: 'a', port: 6379 }], tls: false }],
    [
      'redis+sentinel://a,b:2/main/3',
      {
        kind: 'sentinel',
        sentinels: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 2 },
        ],
        master: 'main',
        db: 3,
        tls: false,
      },
    ],
  ])('%s', (text, wanted) => {
    expect(parseRedisTarget(text)).toEqual(wanted);
  });

  test.each([
    '',
    'http://h',
    'h:0',
    'h:99999',
    'h:1,',
    'redis://h/x',
    'unix://rel',
    'redis+sentinel://h',
    'a,b/3',
  ])('"%s" is refused', (text) => {
    expect(() => parseRedisTarget(text)).toThrow();
  });

  test('passwords are neither described nor repeated in a refusal', () => {
    expect(describeTarget(parseRedisTarget('redis://u:pw@h'))).toBe('Redis h:6379');
    expect(() => parseRedisTarget('redis://u:pw@h:0')).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('pw') }),
    );
  });
});

test.each([
  ['LOADING Redis is loading the dataset in memory', 'unavailable'],
  ["READONLY You can't write against a read only replica.", 'unavailable'],
  ['Command timed out', 'unavailable'],
  ["Stream isn't writeable and enableOfflineQueue options is false", 'unavailable'],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'full'],
  ['WRONGTYPE Operation against a key', 'other'],
  ['NOSCRIPT No matching script.', 'other'],
])('%s is %s', (message, failure) => {
  expect(storeFailure(new Error(message))).toBe(failure);
});

test('store errors become refusals, others stay', () => {
  const bug = new Error('WRONGTYPE');
  expect(asStoreError(bug)).toBe(bug);
  expect(asStoreError(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))).toMatchObject({
    reason: 'STORE_UNAVAILABLE',
    retryAfterMs: 1_000,
  });
  expect(asStoreError(new Error('OOM command not allowed'))).toMatchObject({ reason: 'STORE_FULL' });
  const missing = (syscall: string): Error =>
    Object.assign(new Error('missing'), { code: 'ENOENT', syscall });
  expect([storeFailure(missing('connect')), storeFailure(missing('open'))]).toEqual(['unavailable', 'other']);
});

test('reconnecting doubles from 50 ms to 2 s, a quarter up or down', () => {
  const delays = (random: number): number[] =>
    [1, 2, 5, 20].map((attempt) => reconnectDelayMs(attempt, () => random));
  expect(delays(0.5)).toEqual([50, 100, 800, 2_000]);
  expect(delays(0)).toEqual([38, 75, 600, 1_500]);
});
